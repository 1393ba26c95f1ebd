/// What a request takes on a chip, by its coefficients: a prediction. It runs nothing.
///
/// `python/orion/compile/cost.py` is the same formula over Python's graphs; both add and multiply in one order,
/// so that they agree to the last digit.
import ANEProfiles

public struct PredictedTime: Sendable, Hashable {
  public let dispatch: Double
  /// Products of matrices and convolutions.
  public let products: Double
  /// Weights, inputs and outputs on their way; while products run.
  public let memory: Double
  /// Element-wise ops, softmax and norms, one after the other.
  public let passes: Double
  public let seconds: Double
  /// Of the engine, which takes nothing while it waits.
  public let joules: Double

  /// What most of the time goes to.
  public var bound: String {
    let work = max(products, memory) + passes
    if dispatch >= work { return "dispatch" }
    return memory > products && memory >= passes ? "bandwidth" : "compute"
  }
}

extension Work {
  public func time(on cost: Cost) -> PredictedTime {
    let touched = ops.reduce(streamedBytes + inputBytes) { $0 + $1.resultBytes }
    var products = effective(.matmul, cost) / cost.matmulFlops
    products += effective(.conv, cost) / cost.convFlops
    if touched > cost.programBytesMax { products *= cost.programSlowdown }
    var memory = Self.quotient(Double(streamedBytes), cost.weightBytes)
    memory += Self.quotient(Double(inputBytes), cost.inputBytes)
    memory += Self.quotient(Double(outputBytes), cost.outputBytes)
    var passes = Self.quotient(effective(.pass, cost), cost.weightBytes)
    passes += Self.quotient(effective(.softmax, cost), cost.softmaxElements)
    passes += Self.quotient(effective(.norm, cost), cost.normElements)
    let active = max(products, memory) + passes
    return PredictedTime(
      dispatch: cost.dispatchSeconds, products: products, memory: memory, passes: passes,
      seconds: cost.dispatchSeconds + active, joules: cost.watts * active)
  }

  /// The sum of a kind's amounts, each as many times as its op is slower than the best.
  private func effective(_ kind: OpWork.Kind, _ cost: Cost) -> Double {
    let isProduct = kind == .matmul || kind == .conv
    let limit =
      isProduct ? cost.programBytesMax : kind == .pass ? cost.opBytesMax : Int.max
    // Sums of whole numbers are exact in any order.
    var (even, uneven, largeEven, largeUneven) = (0.0, 0.0, 0.0, 0.0)
    for op in ops where op.kind == kind {
      let isEven = !isProduct || op.width % cost.fastWidthMultiple == 0
      switch (isEven, op.largestBytes > limit) {
      case (true, false): even += op.amount
      case (false, false): uneven += op.amount
      case (true, true): largeEven += op.amount
      case (false, true): largeUneven += op.amount
      }
    }
    let fitting = even + uneven * cost.unevenSlowdown
    let large = largeEven + largeUneven * cost.unevenSlowdown
    return fitting + large * cost.slowdown
  }

  private static func quotient(_ amount: Double, _ rate: Double) -> Double {
    rate > 0 ? amount / rate : 0
  }
}

extension Cost {
  /// Compiling a program whose functions have these weights.
  public func compileTime(weightBytes: Int) -> Double {
    compileSeconds + Double(weightBytes) * compileSecondsPerByte
  }
}
