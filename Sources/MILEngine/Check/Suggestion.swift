/// Guesses which known name was meant.
enum Suggestion {
  /// "did you mean `softmax`?", when some known name is near enough.
  static func text(for name: String, among known: some Sequence<String>) -> String? {
    let wanted = Array(name.utf8)
    guard wanted.count <= 64 else { return nil }
    var best: (name: String, distance: Int)?
    for candidate in known {
      let distance = distance(wanted, Array(candidate.utf8))
      let isBetter = best.map { (distance, candidate) < ($0.distance, $0.name) } ?? true
      if isBetter { best = (candidate, distance) }
    }
    guard let best, best.distance <= max(1, wanted.count / 3),
      best.distance < wanted.count
    else { return nil }
    return "did you mean `\(best.name)`?"
  }

  /// How many bytes must be added, removed or changed.
  private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    if abs(left.count - right.count) > left.count { return .max }
    var row = Array(0...right.count)
    for (i, a) in left.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for (j, b) in right.enumerated() {
        let above = row[j + 1]
        row[j + 1] = min(above + 1, row[j] + 1, diagonal + (a == b ? 0 : 1))
        diagonal = above
      }
    }
    return row[right.count]
  }
}
