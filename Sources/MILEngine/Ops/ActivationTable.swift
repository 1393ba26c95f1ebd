/// Activations as an engine with tables computes them: straight lines between knots at even distances. It
/// knows no plan.
#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

struct ActivationTable: Sendable {
  private let op: String
  /// Between neighbouring knots; the first is at -`reach`, the last at `reach`.
  private let spacing: Double
  private let reach: Double
  private let knots: [Double]
  /// What it is beyond the knots on either side; on the right `nil` is x itself.
  private let left: Double
  private let right: Double?

  private init(
    _ op: String, spacing: Double, knots count: Int, left: Double, right: Double?,
    _ exact: (Double) -> Double
  ) {
    let reach = spacing * Double(count - 1) / 2
    self.op = op
    self.spacing = spacing
    self.reach = reach
    self.left = left
    self.right = right
    knots = (0..<count).map { exact(Double($0) * spacing - reach) }
  }

  /// At these distances the worst error, h h / 8 times the largest curvature, is the one that was measured.
  private static let all: [ActivationTable] = [
    ActivationTable("sigmoid", spacing: 0.53, knots: 33, left: 0, right: 1) { 1 / (1 + exp(-$0)) },
    // Odd about 0: 33 knots on one side, their mirror image on the other.
    ActivationTable("tanh", spacing: 0.133, knots: 65, left: -1, right: 1) { tanh($0) },
    ActivationTable("gelu", spacing: 0.243, knots: 33, left: 0, right: nil) {
      0.5 * $0 * (1 + erf($0 / 2.0.squareRoot()))
    },
  ]

  /// The table of an op, where it has one. All forms of gelu share theirs.
  static func named(_ op: String) -> ActivationTable? { all.first { $0.op == op } }

  func callAsFunction(_ x: Double) -> Double {
    if x.isNaN { return x }
    if x >= reach { return right ?? x }
    if x <= -reach { return left }
    let place = (x + reach) / spacing
    let index = min(Int(place), knots.count - 2)
    return knots[index] + (place - Double(index)) * (knots[index + 1] - knots[index])
  }
}
