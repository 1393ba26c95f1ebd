// The C interface's functions on adapters.
// The names are the header's.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import COrionANE

@c @implementation
public func orion_adapter_open(
  _ session: orion_handle, _ name: UnsafePointer<CChar>?, _ directory: UnsafePointer<CChar>?
) -> orion_status {
  LastError.status { () throws(OrionError) in
    let session = try HandleTable.shared.object(session, as: Session.self)
    let name = try CArguments.text(name, "name")
    try session.openAdapter(name, from: try CArguments.text(directory, "directory"))
  }
}

@c @implementation
public func orion_adapter_close(_ session: orion_handle, _ name: UnsafePointer<CChar>?)
  -> orion_status
{
  LastError.status { () throws(OrionError) in
    let session = try HandleTable.shared.object(session, as: Session.self)
    try session.closeAdapter(try CArguments.text(name, "name"))
  }
}

@c @implementation
public func orion_sequence_adapter(
  _ session: orion_handle, _ sequence: orion_handle, _ name: UnsafePointer<CChar>?
) -> orion_status {
  LastError.status { () throws(OrionError) in
    let (session, sequence) = try CArguments.sequence(session, sequence)
    try session.use(
      adapter: name == nil ? nil : try CArguments.text(name, "name"), in: sequence)
  }
}
