/// Every op of MIL that the engine knows, by name. The rows stand in one file per family.
enum OpTable {
  static let rows: [OpRow] =
    elementwise + activations + comparisons + reductions + normalizations + products + convolutions
    + shapes + slices + gathers + compressed + controlFlow + resizing + imageSampling
    + boxSelection + randomness + recurrence + transposedConvolutions + buffers

  /// The row of the op called `name`, or `nil`.
  static func row(named name: String) -> OpRow? { byName[name] }

  private static let byName = Dictionary(uniqueKeysWithValues: rows.map { ($0.name, $0) })
}
