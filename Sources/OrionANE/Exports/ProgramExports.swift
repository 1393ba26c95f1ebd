// The C interface's functions on programs.
// The names are the header's.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import COrionANE

@c @implementation
public func orion_program_compile(
  _ device: orion_handle, _ mil: UnsafePointer<CChar>?, _ mil_bytes: Int,
  _ weights: UnsafePointer<CChar>?, _ function: UnsafePointer<CChar>?,
  _ program: UnsafeMutablePointer<orion_handle>?
) -> orion_status {
  compile(device, mil, mil_bytes, weights, function, program, isPatchable: false)
}

@c @implementation
public func orion_program_compile_patchable(
  _ device: orion_handle, _ mil: UnsafePointer<CChar>?, _ mil_bytes: Int,
  _ weights: UnsafePointer<CChar>?, _ function: UnsafePointer<CChar>?,
  _ program: UnsafeMutablePointer<orion_handle>?
) -> orion_status {
  compile(device, mil, mil_bytes, weights, function, program, isPatchable: true)
}

private func compile(
  _ device: orion_handle, _ mil: UnsafePointer<CChar>?, _ bytes: Int,
  _ weights: UnsafePointer<CChar>?, _ function: UnsafePointer<CChar>?,
  _ program: UnsafeMutablePointer<orion_handle>?, isPatchable: Bool
) -> orion_status {
  LastError.status { () throws(OrionError) in
    let device = try HandleTable.shared.object(device, as: Device.self)
    let program = try CArguments.required(program, "program")
    let text = try programText(mil, bytes)
    let weights = try CArguments.optionalText(weights, "weights")
    let function = try CArguments.text(function, "function")
    let compiled = try device.compile(
      text, weights: weights, function: function, isPatchable: isPatchable)
    program.pointee = HandleTable.shared.insert(compiled)
  }
}

@c @implementation
public func orion_program_weights_lock(
  _ program: orion_handle, _ address: UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
  _ bytes: UnsafeMutablePointer<Int>?
) -> orion_status {
  LastError.status { () throws(OrionError) in
    let program = try HandleTable.shared.object(program, as: Program.self)
    let address = try CArguments.required(address, "address")
    let bytes = try CArguments.required(bytes, "bytes")
    let weights = try program.patchable().lock()
    address.pointee = weights.baseAddress
    bytes.pointee = weights.count
  }
}

@c @implementation
public func orion_program_weights_unlock(_ program: orion_handle) -> orion_status {
  LastError.status { () throws(OrionError) in
    try HandleTable.shared.object(program, as: Program.self).patchable().unlock()
  }
}

@c @implementation
public func orion_program_reload(_ program: orion_handle) -> orion_status {
  LastError.status { () throws(OrionError) in
    try HandleTable.shared.object(program, as: Program.self).reload()
  }
}

@c @implementation
public func orion_program_free(_ program: orion_handle) -> orion_status {
  LastError.status { () throws(OrionError) in
    try HandleTable.shared.remove(program, as: Program.self).unload()
  }
}

@c @implementation
public func orion_program_json(
  _ program: orion_handle, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> orion_status {
  LastError.status { () throws(OrionError) in
    let program = try HandleTable.shared.object(program, as: Program.self)
    let json = try CArguments.required(json, "json")
    let facts: JSONValue = [
      "inputs": portsJSON(program.inputs), "outputs": portsJSON(program.outputs),
      "states": portsJSON(program.states), "loops": .bool(program.mayLoop),
    ]
    try CArguments.give(facts.text, json)
  }
}

@c @implementation
public func orion_program_evaluate(
  _ program: orion_handle, _ input_count: UInt32, _ inputs: UnsafePointer<orion_handle>?,
  _ output_count: UInt32, _ outputs: UnsafePointer<orion_handle>?
) -> orion_status {
  LastError.status { () throws(OrionError) in
    let program = try HandleTable.shared.object(program, as: Program.self)
    try program.evaluate { arguments throws(OrionError) in
      try append(inputs, input_count, program.inputs, "inputs", to: &arguments.inputs)
      try append(outputs, output_count, program.outputs, "outputs", to: &arguments.outputs)
    }
  }
}

@c @implementation
public func orion_program_cancel(_ program: orion_handle) -> orion_status {
  LastError.status { () throws(OrionError) in
    try HandleTable.shared.object(program, as: Program.self).cancel()
  }
}

@c @implementation
public func orion_program_state_read(
  _ program: orion_handle, _ state: UInt32, _ tensor: orion_handle
) -> orion_status {
  LastError.status { () throws(OrionError) in
    let program = try HandleTable.shared.object(program, as: Program.self)
    let tensor = try HandleTable.shared.object(tensor, as: Tensor.self)
    try program.readState(Int(state), into: tensor)
  }
}

@c @implementation
public func orion_program_state_write(
  _ program: orion_handle, _ state: UInt32, _ tensor: orion_handle
) -> orion_status {
  LastError.status { () throws(OrionError) in
    let program = try HandleTable.shared.object(program, as: Program.self)
    let tensor = try HandleTable.shared.object(tensor, as: Tensor.self)
    try program.writeState(Int(state), from: tensor)
  }
}

@c @implementation
public func orion_program_states_reset(_ program: orion_handle) -> orion_status {
  LastError.status { () throws(OrionError) in
    try HandleTable.shared.object(program, as: Program.self).resetStates()
  }
}

@c @implementation
public func orion_mil_bind(
  _ mil: UnsafePointer<CChar>?, _ mil_bytes: Int, _ function: UnsafePointer<CChar>?,
  _ shapes: UnsafePointer<CChar>?, _ text: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> orion_status {
  LastError.status { () throws(OrionError) in
    let text = try CArguments.required(text, "text")
    let mil = try programText(mil, mil_bytes)
    let function = try CArguments.text(function, "function")
    let shapes = try shapesArgument(try CArguments.text(shapes, "shapes"))
    try CArguments.give(try TextReader.bind(mil, shapes, of: function), text)
  }
}

private func shapesArgument(_ json: String) throws(OrionError) -> [String: [Int]] {
  let fault = OrionError(
    .argument, "shapes: expected a JSON object of lists of sizes, as {\"x\": [1, 4]}; \(json) came")
  guard let value = try? JSONReader.read(Array(json.utf8)), case .object(let members) = value
  else { throw fault }
  var shapes: [String: [Int]] = [:]
  for member in members {
    guard case .array(let sizes) = member.value else { throw fault }
    var shape: [Int] = []
    for size in sizes {
      guard case .integer(let length) = size else { throw fault }
      shape.append(Int(length))
    }
    shapes[member.name] = shape
  }
  return shapes
}

private func programText(_ mil: UnsafePointer<CChar>?, _ bytes: Int) throws(OrionError) -> String {
  let mil = try CArguments.required(mil, "mil")
  guard bytes > 0 else {
    throw OrionError(.argument, "mil_bytes: \(bytes); pass the length of the text in bytes")
  }
  let units = UnsafeRawBufferPointer(start: mil, count: bytes)
  guard let text = String(validating: units, as: UTF8.self) else {
    throw OrionError(.program, "mil: not UTF-8; a MIL text is UTF-8")
  }
  return text
}

private func append(
  _ handles: UnsafePointer<orion_handle>?, _ count: UInt32, _ ports: [Port], _ name: String,
  to tensors: inout [Tensor]
) throws(OrionError) {
  // Before anything is read through the pointer.
  guard Int(count) == ports.count else {
    throw OrionError(
      .argument,
      "\(name): \(count) tensors came, the program takes \(ports.count)"
        + " (\(ports.map(\.name).joined(separator: ", ")))")
  }
  guard count > 0 else { return }
  let handles = try CArguments.required(handles, name)
  for index in 0..<Int(count) {
    tensors.append(try HandleTable.shared.object(handles[index], as: Tensor.self))
  }
}

private func portsJSON(_ ports: [Port]) -> JSONValue {
  .array(
    ports.map {
      [
        "name": JSONValue($0.name), "dtype": JSONValue($0.layout.dtype.rawValue),
        "shape": JSONValue($0.layout.shape),
      ]
    })
}
