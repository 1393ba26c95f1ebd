// The C interface's kernels of a training step: checks, and the call into CKernels.
// The names are the header's.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import CKernels
import COrionANE

private typealias Arguments = KernelArguments

@c @implementation
public func orion_kernel_adamw(
  _ options: UnsafePointer<orion_adamw_options>?, _ count: Int,
  _ weights: UnsafeMutablePointer<Float>?, _ gradient: UnsafePointer<Float>?,
  _ first_moment: UnsafeMutablePointer<Float>?, _ second_moment: UnsafeMutablePointer<Float>?,
  _ copy: UnsafePointer<orion_kernel_matrix>?, _ overflows: UnsafeMutablePointer<Int>?
) -> orion_status {
  LastError.status { () throws(OrionError) in
    let options = try adamwOptions(options)
    let count = try Arguments.length(count, "count")
    let overflows = try CArguments.required(overflows, "overflows")
    let memory = (
      try Arguments.values(UnsafePointer(weights), count: count, "weights"),
      try Arguments.values(gradient, count: count, "gradient"),
      try Arguments.values(UnsafePointer(first_moment), count: count, "first_moment"),
      try Arguments.values(UnsafePointer(second_moment), count: count, "second_moment")
    )
    try Arguments.requireApart(memory.1, memory.0)
    try Arguments.requireApart(memory.2, memory.0, memory.1)
    try Arguments.requireApart(memory.3, memory.0, memory.1, memory.2)
    let target = copy == nil ? nil : try Arguments.matrix(copy, "copy")
    if let target {
      guard target.view.half else { throw Arguments.refusal("copy", "fp32, expected fp16") }
      guard target.count == count else {
        throw Arguments.refusal("copy", "shape \(target.shape), expected \(count) values")
      }
      try Arguments.requireApart(target.memory, memory.0, memory.1, memory.2, memory.3)
    }
    guard count > 0 else {
      overflows.pointee = 0
      return
    }
    var arguments = orion_adamw_args()
    arguments.learning_rate = options.learning_rate
    arguments.beta1 = options.beta1
    arguments.beta2 = options.beta2
    arguments.epsilon = options.epsilon
    arguments.weight_decay = options.weight_decay
    arguments.gradient_scale = options.gradient_scale
    arguments.step = options.step
    arguments.rows = target?.rows ?? 1
    arguments.columns = target?.columns ?? count
    arguments.weights = weights
    arguments.gradient = gradient
    arguments.first_moment = first_moment
    arguments.second_moment = second_moment
    if let target { arguments.copy = target.view }
    overflows.pointee = orion_adamw(&arguments)
  }
}

private func adamwOptions(_ options: UnsafePointer<orion_adamw_options>?)
  throws(OrionError) -> orion_adamw_options
{
  let options = try CArguments.required(options, "options").pointee
  guard options.struct_size == UInt32(MemoryLayout<orion_adamw_options>.size) else {
    throw Arguments.refusal(
      "options.struct_size",
      "\(options.struct_size), expected \(MemoryLayout<orion_adamw_options>.size)")
  }
  guard options.step >= 1 else {
    throw Arguments.refusal("options.step", "0, expected 1 for the first step")
  }
  func checkBeta(_ name: String, _ beta: Double) throws(OrionError) {
    guard beta >= 0, beta < 1 else {
      throw Arguments.refusal("options.\(name)", "\(beta), expected 0 to below 1")
    }
  }
  func checkFactor(_ name: String, _ factor: Double) throws(OrionError) {
    guard factor >= 0, factor.isFinite else {
      throw Arguments.refusal("options.\(name)", "\(factor), expected a finite number from 0 on")
    }
  }
  try checkBeta("beta1", options.beta1)
  try checkBeta("beta2", options.beta2)
  try checkFactor("learning_rate", options.learning_rate)
  try checkFactor("epsilon", options.epsilon)
  try checkFactor("weight_decay", options.weight_decay)
  guard options.gradient_scale.isFinite else {
    throw Arguments.refusal(
      "options.gradient_scale", "\(options.gradient_scale), expected a finite number")
  }
  return options
}

@c @implementation
public func orion_kernel_sum_of_squares(
  _ values: UnsafePointer<Float>?, _ count: Int, _ sum: UnsafeMutablePointer<Double>?
) -> orion_status {
  LastError.status { () throws(OrionError) in
    let count = try Arguments.length(count, "count")
    _ = try Arguments.values(values, count: count, "values")
    let sum = try CArguments.required(sum, "sum")
    sum.pointee = count == 0 ? 0 : orion_sum_of_squares(values, count)
  }
}

@c @implementation
public func orion_kernel_accumulate(
  _ source: UnsafePointer<orion_kernel_matrix>?, _ scale: Float, _ fresh: Bool,
  _ target: UnsafeMutablePointer<Float>?, _ count: Int, _ finite: UnsafeMutablePointer<Bool>?
) -> orion_status {
  LastError.status { () throws(OrionError) in
    let source = try Arguments.matrix(source, "source")
    let count = try Arguments.length(count, "count")
    guard source.count == count else {
      throw Arguments.refusal("source", "shape \(source.shape), expected \(count) values")
    }
    let memory = try Arguments.values(UnsafePointer(target), count: count, "target")
    let finite = try CArguments.required(finite, "finite")
    try Arguments.requireApart(memory, source.memory)
    finite.pointee =
      count == 0
      || orion_accumulate(source.view, source.rows, source.columns, scale, fresh, target)
  }
}

@c @implementation
public func orion_kernel_convert(
  _ source: UnsafePointer<orion_kernel_matrix>?, _ target: UnsafePointer<orion_kernel_matrix>?,
  _ overflows: UnsafeMutablePointer<Int>?
) -> orion_status {
  LastError.status { () throws(OrionError) in
    let source = try Arguments.matrix(source, "source")
    let target = try Arguments.matrix(target, "target")
    let overflows = try CArguments.required(overflows, "overflows")
    try Arguments.requireShape(target, rows: source.rows, columns: source.columns, "source")
    try Arguments.requireApart(target.memory, source.memory)
    overflows.pointee =
      source.count == 0
      ? 0 : orion_convert(source.view, target.view, source.rows, source.columns)
  }
}

@c @implementation
public func orion_kernel_cross_entropy(
  _ logits_count: Int, _ logits: UnsafePointer<orion_kernel_matrix>?,
  _ gradients: UnsafePointer<orion_kernel_matrix>?, _ columns: Int,
  _ targets: UnsafePointer<Int32>?, _ scale: Float, _ loss: UnsafeMutablePointer<Double>?,
  _ counted: UnsafeMutablePointer<Int>?
) -> orion_status {
  LastError.status { () throws(OrionError) in
    let columns = try Arguments.length(columns, "columns")
    let count = try Arguments.length(logits_count, "logits_count")
    guard count > 0 else { throw Arguments.refusal("logits_count", "0, expected 1 or more") }
    let logits = try CArguments.required(logits, "logits")
    let gradients = gradients == nil ? nil : try CArguments.required(gradients, "gradients")
    let vocabulary = try checkLogits(count, logits, gradients, columns: columns)
    let loss = try CArguments.required(loss, "loss")
    let counted = try CArguments.required(counted, "counted")
    _ = try Arguments.values(targets, count: columns, "targets")
    try Arguments.requireIds(targets, count: columns, below: vocabulary, least: -1, "targets")
    guard columns > 0 else {
      (loss.pointee, counted.pointee) = (0, 0)
      return
    }
    withUnsafeTemporaryAllocation(of: orion_logits.self, capacity: count) { parts in
      for index in 0..<count {
        let gradient = gradients.map { Arguments.view($0[index]) } ?? orion_matrix()
        parts.initializeElement(
          at: index,
          to: orion_logits(
            logits: Arguments.view(logits[index]), gradient: gradient,
            rows: Int(logits[index].rows)))
      }
      counted.pointee = orion_cross_entropy(
        parts.baseAddress, count, columns, targets, scale, loss)
    }
  }
}

/// Each of the logits fits the columns, and its gradient fits it and lies apart from all others; returns how
/// many rows they have together.
private func checkLogits(
  _ count: Int, _ logits: UnsafePointer<orion_kernel_matrix>,
  _ gradients: UnsafePointer<orion_kernel_matrix>?, columns: Int
) throws(OrionError) -> Int {
  func read(_ index: Int) throws(OrionError) -> KernelArguments.Matrix {
    try Arguments.matrix(logits[index], "logits[\(index)]")
  }
  var rows = 0
  for index in 0..<count {
    let matrix = try read(index)
    try Arguments.requireShape(matrix, rows: matrix.rows, columns: columns, "targets")
    let (sum, overflows) = rows.addingReportingOverflow(matrix.rows)
    guard !overflows, sum <= Int(Int32.max) else {
      throw Arguments.refusal("logits", "more rows than a target can name")
    }
    rows = sum
  }
  guard let gradients else { return rows }
  for index in 0..<count {
    let matrix = try Arguments.matrix(gradients[index], "gradients[\(index)]")
    let own = try read(index)
    try Arguments.requireShape(matrix, rows: own.rows, columns: columns, "its logits")
    for other in 0..<count where other != index || !matrix.isSame(as: own) {
      try Arguments.requireApart(matrix.memory, try read(other).memory)
    }
    for earlier in 0..<index {
      let written = try Arguments.matrix(gradients[earlier], "gradients[\(earlier)]")
      try Arguments.requireApart(matrix.memory, written.memory)
    }
  }
  return rows
}

@c @implementation
public func orion_kernel_embedding_gather(
  _ table: UnsafePointer<orion_kernel_matrix>?, _ token_count: Int,
  _ tokens: UnsafePointer<Int32>?, _ out: UnsafePointer<orion_kernel_matrix>?
) -> orion_status {
  LastError.status { () throws(OrionError) in
    let table = try Arguments.matrix(table, "table")
    let out = try Arguments.matrix(out, "out")
    let count = try embeddingTokens(table, out, token_count, tokens)
    try Arguments.requireApart(out.memory, table.memory)
    guard out.count > 0 else { return }
    orion_embedding_gather(table.view, table.columns, tokens, count, out.view)
  }
}

@c @implementation
public func orion_kernel_embedding_scatter_add(
  _ gradient: UnsafePointer<orion_kernel_matrix>?, _ token_count: Int,
  _ tokens: UnsafePointer<Int32>?, _ scale: Float,
  _ table: UnsafePointer<orion_kernel_matrix>?, _ finite: UnsafeMutablePointer<Bool>?
) -> orion_status {
  LastError.status { () throws(OrionError) in
    let gradient = try Arguments.matrix(gradient, "gradient")
    let table = try Arguments.matrix(table, "table")
    let finite = try CArguments.required(finite, "finite")
    let count = try embeddingTokens(table, gradient, token_count, tokens)
    try Arguments.requireApart(table.memory, gradient.memory)
    finite.pointee =
      gradient.count == 0
      || orion_embedding_scatter_add(
        gradient.view, table.columns, tokens, count, scale, table.view)
  }
}

/// Checks a table [V, C] against columns [C, S] and S tokens; returns S.
private func embeddingTokens(
  _ table: KernelArguments.Matrix, _ columns: KernelArguments.Matrix, _ count: Int,
  _ tokens: UnsafePointer<Int32>?
) throws(OrionError) -> Int {
  let count = try Arguments.length(count, "token_count")
  try Arguments.requireFloats(table)
  try Arguments.requireShape(
    columns, rows: table.columns, columns: count, "[table's columns, tokens]")
  _ = try Arguments.values(tokens, count: count, "tokens")
  try Arguments.requireIds(tokens, count: count, below: table.rows, least: 0, "tokens")
  return count
}

@c @implementation
public func orion_kernel_limits(
  _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> orion_status {
  LastError.status { () throws(OrionError) in
    let json = try CArguments.required(json, "json")
    var limits = orion_limits()
    guard orion_measure_limits(&limits) else {
      throw OrionError(.internal, "limits: no memory for the 256 MB that are read and copied")
    }
    let kernels = String(cString: orion_kernels_name())
    try CArguments.give(
      "{\"threads\": \(limits.threads), \"kernels\": \"\(kernels)\","
        + " \"multiply_add_gflops\": \(limits.multiply_add_rate / 1e9),"
        + " \"read_gb_s\": \(limits.read_rate / 1e9), \"copy_gb_s\": \(limits.copy_rate / 1e9)}",
      json)
  }
}
