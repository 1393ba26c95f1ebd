/// softmax(scale q k + mask) v in one step, over keys and values in several pieces.
import CKernels

struct AttentionStep: Step {
  /// Four strides by which query and output are walked.
  struct Walk: Sendable {
    let group: Int
    let head: Int
    let feature: Int
    let column: Int
  }

  struct Segment: Sendable {
    struct Walk: Sendable {
      let group: Int
      let feature: Int
      let position: Int
    }
    let length: Int
    let key: Place
    let keyWalk: Walk
    let value: Place
    let valueWalk: Walk
    let mask: Place?
    let maskQuery: Int
  }

  static let segmentsMax = 4

  let groups: Int
  let heads: Int
  let queries: Int
  let keyFeatures: Int
  let valueFeatures: Int
  let query: Place
  let queryWalk: Walk
  let scale: Float
  let segments: [Segment]
  let output: Place
  var outputWalk: Walk
  /// Elements between panels of 16 queries where the output is in panels; 0 where it is not.
  var outputPanel = 0

  var reads: [Int] {
    [query.buffer]
      + segments.flatMap { [$0.key.buffer, $0.value.buffer] + ($0.mask.map { [$0.buffer] } ?? []) }
  }
  var writes: [Int] { [output.buffer] }

  var label: String { "attention \(groups) x \(heads) heads, \(queries) queries" }

  func run(_ frame: Frame) {
    var arguments = orion_attention_args()
    arguments.groups = groups
    arguments.heads = heads
    arguments.queries = queries
    arguments.key_features = keyFeatures
    arguments.value_features = valueFeatures
    arguments.query = UnsafePointer(frame.floats(query))
    arguments.query_group = queryWalk.group
    arguments.query_head = queryWalk.head
    arguments.query_feature = queryWalk.feature
    arguments.query_column = queryWalk.column
    arguments.scale = scale
    arguments.segment_count = segments.count
    withUnsafeMutableBytes(of: &arguments.segments) { bytes in
      let target = bytes.assumingMemoryBound(to: orion_segment.self)
      for (index, segment) in segments.enumerated() {
        target[index] = orion_segment(
          length: segment.length, key: frame.floats(segment.key),
          key_group: segment.keyWalk.group, key_feature: segment.keyWalk.feature,
          key_position: segment.keyWalk.position, value: frame.floats(segment.value),
          value_group: segment.valueWalk.group, value_feature: segment.valueWalk.feature,
          value_position: segment.valueWalk.position,
          mask: segment.mask.map { UnsafePointer(frame.floats($0)) },
          mask_query: segment.maskQuery)
      }
    }
    arguments.output = frame.floats(output)
    arguments.output_group = outputWalk.group
    arguments.output_head = outputWalk.head
    arguments.output_feature = outputWalk.feature
    arguments.output_column = outputWalk.column
    arguments.output_panel = outputPanel
    orion_attention(&arguments)
  }
}

/// Rounds a stretch to fp16 in place.
struct RoundStep: Step {
  let place: Place
  let count: Int
  var reads: [Int] { [place.buffer] }
  var writes: [Int] { [place.buffer] }

  func run(_ frame: Frame) { orion_round_f16(frame.floats(place), frame.floats(place), count) }
}
