/// The gradients of RMS norm by its operand and its factors in one step.
import CKernels

struct NormGradientStep: Step {
  let x: Place
  let gamma: Place?
  /// Of the norm's result.
  let gradient: Place
  /// What the gradient by x is added to.
  let added: Place?
  let epsilon: Float
  let shape: FoldShape
  let target: Place
  let gammaTarget: Place?

  var reads: [Int] { [x.buffer, gradient.buffer] + [gamma, added].compactMap { $0?.buffer } }
  var writes: [Int] { [target.buffer] + (gammaTarget.map { [$0.buffer] } ?? []) }
  var label: String { "norm's gradient \(shape.text)" }

  func run(_ frame: Frame) {
    func floats(_ place: Place?) -> UnsafePointer<Float>? {
      place.map { UnsafePointer(frame.floats($0)) }
    }
    var arguments = orion_rms_norm_gradient_args(
      outer: shape.outer, count: shape.count, inner: shape.inner, x: floats(x),
      gamma: floats(gamma), epsilon: epsilon, gradient: floats(gradient), added: floats(added),
      x_gradient: frame.floats(target), gamma_gradient: gammaTarget.map { frame.floats($0) })
    orion_rms_norm_gradient(&arguments)
  }
}
