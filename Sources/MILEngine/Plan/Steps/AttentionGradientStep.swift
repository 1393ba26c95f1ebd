/// The gradients of softmax(scale q k + mask) v in one step, without the scores of all queries.
import CKernels

struct AttentionGradientStep: Step {
  typealias Heads = (place: Place, walk: AttentionStep.Walk)

  let groups: Int
  let heads: Int
  let queries: Int
  let positions: Int
  let keyFeatures: Int
  let valueFeatures: Int
  let scale: Float
  /// Queries, gradient of the result, keys, values.
  let sources: [Heads]
  let mask: Place?
  let maskQuery: Int
  /// Gradients of queries, keys, values.
  let results: [Heads]

  var reads: [Int] { sources.map(\.place.buffer) + (mask.map { [$0.buffer] } ?? []) }
  var writes: [Int] { results.map(\.place.buffer) }
  var label: String { "attention's gradient \(groups) x \(heads) heads, \(queries) queries" }

  /// Bytes that each thread needs besides the operands.
  var scratchBytes: Int {
    var arguments = arguments { _ in nil }
    return orion_attention_gradient_bytes(&arguments)
  }

  func run(_ frame: Frame) {
    var arguments = arguments { frame.floats($0) }
    orion_attention_gradient(&arguments)
  }

  private func arguments(
    _ floats: (Place) -> UnsafeMutablePointer<Float>?
  ) -> orion_attention_gradient_args {
    func heads(_ heads: Heads) -> orion_heads {
      orion_heads(
        values: floats(heads.place), group: heads.walk.group, head: heads.walk.head,
        feature: heads.walk.feature, column: heads.walk.column)
    }
    return orion_attention_gradient_args(
      groups: groups, heads: self.heads, queries: queries, positions: positions,
      key_features: keyFeatures, value_features: valueFeatures, scale: scale,
      query: heads(sources[0]), gradient: heads(sources[1]), key: heads(sources[2]),
      value: heads(sources[3]), mask: mask.flatMap { UnsafePointer(floats($0)) },
      mask_query: maskQuery, query_gradient: heads(results[0]), key_gradient: heads(results[1]),
      value_gradient: heads(results[2]))
  }
}
