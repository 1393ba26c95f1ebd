/// Every op of MIL that the engine knows, by name. The rows stand in one file per family.
enum OpTable {
  static let rows: [OpRow] =
    elements + folds + moves + places + images + compressed + controlFlow + randomness + recurrence
    + buffers

  private static let elements: [OpRow] = elementwise + activations + functions + comparisons
  private static let folds: [OpRow] =
    reductions + normalizations + channelNorms
    + products + einsums + convolutions + transposedConvolutions + pools
  private static let moves: [OpRow] = shapes + joins + slices + blockShuffles + orderings
  private static let images: [OpRow] = resizing + imageSampling + boxSelection
  private static let places: [OpRow] = fillings + gathers + scatters + quantizations

  /// The row of the op called `name`, or `nil`.
  static func row(named name: String) -> OpRow? { byName[name] }

  private static let byName = Dictionary(uniqueKeysWithValues: rows.map { ($0.name, $0) })
}
