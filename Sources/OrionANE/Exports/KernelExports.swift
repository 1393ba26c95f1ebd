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
    var memory = [
      try Arguments.values(UnsafePointer(weights), count: count, "weights"),
      try Arguments.values(gradient, count: count, "gradient"),
      try Arguments.values(UnsafePointer(first_moment), count: count, "first_moment"),
      try Arguments.values(UnsafePointer(second_moment), count: count, "second_moment"),
    ]
    let target = copy == nil ? nil : try Arguments.matrix(copy, "copy")
    if let target {
      guard target.view.half else { throw Arguments.refusal("copy", "fp32, expected fp16") }
      guard target.count == count else {
        throw Arguments.refusal("copy", "shape \(target.shape), expected \(count) values")
      }
      memory.append(target.memory)
    }
    for (index, one) in memory.enumerated() {
      try Arguments.requireApart(one, Array(memory[..<index]))
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
  for (name, beta) in [("beta1", options.beta1), ("beta2", options.beta2)] {
    guard beta >= 0, beta < 1 else {
      throw Arguments.refusal("options.\(name)", "\(beta), expected 0 to below 1")
    }
  }
  let factors = [
    ("learning_rate", options.learning_rate), ("epsilon", options.epsilon),
    ("weight_decay", options.weight_decay),
  ]
  for (name, factor) in factors {
    guard factor >= 0, factor.isFinite else {
      throw Arguments.refusal("options.\(name)", "\(factor), expected a finite number from 0 on")
    }
  }
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
    try Arguments.requireApart(memory, [source.memory])
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
    try Arguments.requireApart(target.memory, [source.memory])
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
    let parts = try logitParts(
      try Arguments.length(logits_count, "logits_count"), logits,
      gradients, columns: columns)
    let loss = try CArguments.required(loss, "loss")
    let counted = try CArguments.required(counted, "counted")
    _ = try Arguments.values(targets, count: columns, "targets")
    let vocabulary = parts.reduce(0) { $0 + $1.rows }
    try Arguments.requireIds(targets, count: columns, below: vocabulary, least: -1, "targets")
    guard columns > 0 else {
      (loss.pointee, counted.pointee) = (0, 0)
      return
    }
    counted.pointee = orion_cross_entropy(parts, parts.count, columns, targets, scale, loss)
  }
}

private func logitParts(
  _ count: Int, _ logits: UnsafePointer<orion_kernel_matrix>?,
  _ gradients: UnsafePointer<orion_kernel_matrix>?, columns: Int
) throws(OrionError) -> [orion_logits] {
  guard count > 0 else { throw Arguments.refusal("logits_count", "0, expected 1 or more") }
  let given = try CArguments.array(logits, count: count, "logits")
  let wanted = gradients == nil ? [] : try CArguments.array(gradients, count: count, "gradients")
  var read: [KernelArguments.Matrix] = []
  for (index, one) in given.enumerated() {
    let matrix = try Arguments.matrix(one, "logits[\(index)]")
    try Arguments.requireShape(matrix, rows: matrix.rows, columns: columns, "targets")
    read.append(matrix)
  }
  var parts = read.map { orion_logits(logits: $0.view, gradient: orion_matrix(), rows: $0.rows) }
  var written: [KernelArguments.Memory] = []
  for (index, one) in wanted.enumerated() {
    let matrix = try Arguments.matrix(one, "gradients[\(index)]")
    try Arguments.requireShape(matrix, rows: read[index].rows, columns: columns, "its logits")
    let own = matrix.isSame(as: read[index])
    let others = read.indices.filter { !own || $0 != index }.map { read[$0].memory }
    try Arguments.requireApart(matrix.memory, others + written)
    written.append(matrix.memory)
    parts[index].gradient = matrix.view
  }
  guard parts.reduce(0, { $0 + $1.rows }) <= Int(Int32.max) else {
    throw Arguments.refusal("logits", "more rows than a target can name")
  }
  return parts
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
    try Arguments.requireApart(out.memory, [table.memory])
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
    try Arguments.requireApart(table.memory, [gradient.memory])
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
