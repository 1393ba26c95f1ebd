// The C interface's functions on devices.
// The names are the header's.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import COrionANE

@c @implementation
public func orion_device_open(
  _ name: UnsafePointer<CChar>?, _ options: UnsafePointer<orion_device_options>?,
  _ device: UnsafeMutablePointer<orion_handle>?
) -> orion_status {
  LastError.status { () throws(OrionError) in
    let name = try CArguments.text(name, "name")
    let device = try CArguments.required(device, "device")
    let opened = try Device(name, options: try DeviceOptions(options))
    device.pointee = HandleTable.shared.insert(opened)
  }
}

@c @implementation
public func orion_device_close(_ device: orion_handle) -> orion_status {
  LastError.status { () throws(OrionError) in
    try HandleTable.shared.remove(device, as: Device.self)
  }
}

@c @implementation
public func orion_device_json(
  _ device: orion_handle, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> orion_status {
  LastError.status { () throws(OrionError) in
    let device = try HandleTable.shared.object(device, as: Device.self)
    let json = try CArguments.required(json, "json")
    let facts: JSONValue = [
      "name": JSONValue(device.name), "kind": JSONValue(device.kind.rawValue),
      "profile": JSONValue(device.profile.name), "route": JSONValue(device.route),
      "reason": JSONValue(device.reason),
    ]
    try CArguments.give(facts.text, json)
  }
}

@c @implementation
public func orion_device_counters(
  _ device: orion_handle, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> orion_status {
  LastError.status { () throws(OrionError) in
    let counters = try HandleTable.shared.object(device, as: Device.self).counters
    let json = try CArguments.required(json, "json")
    let facts: JSONValue = [
      "compiles": JSONValue(counters.compiles), "cache_hits": JSONValue(counters.cacheHits),
      "loads": JSONValue(counters.loads), "unloads": JSONValue(counters.unloads),
      "evals": JSONValue(counters.evals),
      "loaded_programs": JSONValue(counters.loadedPrograms),
      "virtual_s": .number(counters.virtualSeconds),
    ]
    try CArguments.give(facts.text, json)
  }
}

@c @implementation
public func orion_device_trace(
  _ device: orion_handle, _ text: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> orion_status {
  LastError.status { () throws(OrionError) in
    let device = try HandleTable.shared.object(device, as: Device.self)
    let text = try CArguments.required(text, "text")
    try CArguments.give(device.takeTrace(), text)
  }
}

@c @implementation
public func orion_device_faults(_ device: orion_handle, _ plan: UnsafePointer<CChar>?)
  -> orion_status
{
  LastError.status { () throws(OrionError) in
    let device = try HandleTable.shared.object(device, as: Device.self)
    try device.follow(faults: try CArguments.optionalText(plan, "plan") ?? "")
  }
}

@c @implementation
public func orion_doctor_json(
  _ name: UnsafePointer<CChar>?, _ options: UnsafePointer<orion_device_options>?,
  _ probes: UInt32, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> orion_status {
  LastError.status { () throws(OrionError) in
    let doctor = Doctor(
      name: try CArguments.text(name, "name"), options: try DeviceOptions(options),
      runsProbes: probes != 0)
    let json = try CArguments.required(json, "json")
    try CArguments.give(try doctor.report().text, json)
  }
}

@c @implementation
public func orion_device_canary(
  _ device: orion_handle, _ name: UnsafePointer<CChar>?,
  _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> orion_status {
  LastError.status { () throws(OrionError) in
    let device = try HandleTable.shared.object(device, as: Device.self)
    let name = try CArguments.text(name, "name")
    let json = try CArguments.required(json, "json")
    guard name == "reload" else {
      throw OrionError(.argument, "name: no canary \"\(name)\"; there is reload")
    }
    let seen: JSONValue = ["reload": JSONValue(try Canary(device: device).reload().rawValue)]
    try CArguments.give(seen.text, json)
  }
}

extension DeviceOptions {
  /// The options of a C caller; `nil` gives the defaults.
  init(_ pointer: UnsafePointer<orion_device_options>?) throws(OrionError) {
    self.init()
    guard pointer != nil else { return }
    let pointer = try CArguments.required(pointer, "options")
    let size = UnsafeRawPointer(pointer).load(as: UInt32.self)
    let expected = MemoryLayout<orion_device_options>.size
    guard Int(size) == expected else {
      throw OrionError(
        .argument,
        "options.struct_size: \(size), expected \(expected) (sizeof(orion_device_options));"
          + " compile against this library's header")
    }
    let options = pointer.pointee
    trace = options.trace != 0
    failCall = options.fail_call
    cacheDirectory = try CArguments.optionalText(options.cache_directory, "options.cache_directory")
    guard options.threads <= DeviceOptions.threadsMax else {
      throw OrionError(
        .argument,
        "options.threads: \(options.threads), expected at most \(DeviceOptions.threadsMax)")
    }
    threads = Int(options.threads)
    route = try DeviceOptions.route(options.route)
  }

  private static func route(_ number: UInt32) throws(OrionError) -> RouteName? {
    switch number {
    case UInt32(ORION_ROUTE_DEFAULT): return nil
    case UInt32(ORION_ROUTE_CLIENT): return .client
    case UInt32(ORION_ROUTE_MEMORY): return .memory
    default:
      throw OrionError(
        .argument, "options.route: \(number), expected 0 (default), 1 (client) or 2 (memory)")
    }
  }

  static let threadsMax = 256
}
