/// Tokens of several sequences side by side in the columns of a step. Filled again for each step, so that steps
/// allocate nothing; it knows no slots.
struct StepBatch {
  /// Tokens of one sequence in neighbouring columns.
  struct Part {
    /// Whose slots they see.
    let tenant: Int
    /// Of the first token.
    let position: Int
    fileprivate(set) var columns: Range<Int>
  }
  struct Column {
    let token: Int32
    let position: Int
    /// Which part it belongs to.
    let part: Int
  }
  private(set) var parts: [Part] = []
  private(set) var columns: [Column] = []
  /// What all of them are read with; `nil`: the model alone.
  private(set) var adapter: Adapter?

  mutating func clear(for adapter: Adapter? = nil) {
    parts.removeAll(keepingCapacity: true)
    columns.removeAll(keepingCapacity: true)
    self.adapter = adapter
  }

  /// The next tokens are a tenant's, the first at `position`.
  mutating func begin(_ tenant: Int, at position: Int) {
    parts.append(
      Part(tenant: tenant, position: position, columns: columns.count..<columns.count))
  }

  mutating func append(_ token: Int32) {
    let index = parts.count - 1
    let part = parts[index]
    columns.append(
      Column(token: token, position: part.position + part.columns.count, part: index))
    parts[index].columns = part.columns.lowerBound..<columns.count
  }
}
