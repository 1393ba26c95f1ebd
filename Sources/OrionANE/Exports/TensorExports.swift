// The C interface's functions on tensors.
// The names are the header's.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import COrionANE

@c @implementation
public func orion_tensor_create(
  _ device: orion_handle, _ dtype: Int32, _ rank: UInt32, _ shape: UnsafePointer<Int64>?,
  _ tensor: UnsafeMutablePointer<orion_handle>?
) -> orion_status {
  LastError.status { () throws(OrionError) in
    let device = try HandleTable.shared.object(device, as: Device.self)
    let tensor = try CArguments.required(tensor, "tensor")
    let element = try elementType(dtype)
    guard rank <= UInt32(Device.rankMax) else {
      throw OrionError(.argument, "rank: \(rank), expected 0 to \(Device.rankMax)")
    }
    let lengths = try CArguments.array(shape, count: Int(rank), "shape").map { Int($0) }
    let made = try device.makeTensor(element, lengths)
    tensor.pointee = HandleTable.shared.insert(made)
  }
}

@c @implementation
public func orion_tensor_free(_ tensor: orion_handle) -> orion_status {
  LastError.status { () throws(OrionError) in
    try HandleTable.shared.remove(tensor, as: Tensor.self)
  }
}

@c @implementation
public func orion_tensor_lock(
  _ tensor: orion_handle, _ rank: UInt32,
  _ address: UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
  _ strides: UnsafeMutablePointer<Int64>?
) -> orion_status {
  LastError.status { () throws(OrionError) in
    let tensor = try HandleTable.shared.object(tensor, as: Tensor.self)
    let address = try CArguments.required(address, "address")
    let layout = tensor.layout
    guard Int(rank) == layout.shape.count else {
      throw OrionError(
        .argument,
        "rank: \(rank), but the tensor \(layout.text) has rank \(layout.shape.count)")
    }
    // A tensor without axes has no strides to give.
    guard rank > 0 else {
      address.pointee = try tensor.storage.lock()
      return
    }
    let strides = try CArguments.required(strides, "strides")
    address.pointee = try tensor.storage.lock()
    for axis in 0..<Int(rank) { strides[axis] = Int64(layout.stride(of: axis)) }
  }
}

@c @implementation
public func orion_tensor_unlock(_ tensor: orion_handle) -> orion_status {
  LastError.status { () throws(OrionError) in
    try HandleTable.shared.object(tensor, as: Tensor.self).storage.unlock()
  }
}

private func elementType(_ code: Int32) throws(OrionError) -> DType {
  guard let row = elementTypes.first(where: { $0.code == Int(code) }) else {
    let known = elementTypes.map { "\($0.code) (\($0.type.rawValue))" }.joined(separator: ", ")
    throw OrionError(.argument, "dtype: \(code), expected one of \(known)")
  }
  return row.type
}

private let elementTypes: [(code: Int, type: DType)] = [
  (Int(ORION_FP16), .fp16), (Int(ORION_FP32), .fp32), (Int(ORION_INT32), .int32),
  (Int(ORION_INT8), .int8), (Int(ORION_UINT8), .uint8), (Int(ORION_INT16), .int16),
  (Int(ORION_UINT16), .uint16), (Int(ORION_BOOL), .bool),
]
