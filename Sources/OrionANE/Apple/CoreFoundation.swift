/// Values into CoreFoundation objects and back. It owns what it creates and borrows what it reads.

private let utf8: UInt32 = 0x0800_0100
private let signed64 = 4

extension Foreign {
  func makeString(_ text: String) throws(OrionError) -> ForeignObject {
    var characters = text
    let made = characters.withUTF8 { bytes in
      log.call(
        "CFStringCreateWithBytes \"\(text)\"", failure: nil, show: Shown.reference
      ) {
        // An empty text has no address; any will do for no bytes.
        let start = bytes.baseAddress ?? UnsafePointer(table.constants.arrayCallBacks.bytes)
        return table.stringCreate(nil, start, bytes.count, utf8, 0)
      }
    }
    return try owned(made, by: "CFStringCreateWithBytes")
  }

  func makeData(_ bytes: [UInt8]) throws(OrionError) -> ForeignObject {
    let made = log.call("CFDataCreate \(bytes.count) bytes", failure: nil, show: Shown.reference) {
      table.dataCreate(nil, bytes, bytes.count)
    }
    return try owned(made, by: "CFDataCreate")
  }

  func makeNumber(_ value: Int) throws(OrionError) -> ForeignObject {
    var number = Int64(value)
    let made = log.call("CFNumberCreate \(value)", failure: nil, show: Shown.reference) {
      table.numberCreate(nil, signed64, &number)
    }
    return try owned(made, by: "CFNumberCreate")
  }

  func makeArray(_ values: [Reference]) throws(OrionError) -> ForeignObject {
    var values = values.map { UnsafeRawPointer($0) as UnsafeRawPointer? }
    let count = values.count
    let made = log.call("CFArrayCreate \(count) values", failure: nil, show: Shown.reference) {
      table.arrayCreate(nil, &values, count, table.constants.arrayCallBacks)
    }
    return try owned(made, by: "CFArrayCreate")
  }

  func makeDictionary(_ entries: [(key: Reference, value: Reference)])
    throws(OrionError) -> ForeignObject
  {
    var keys = entries.map { UnsafeRawPointer($0.key) as UnsafeRawPointer? }
    var values = entries.map { UnsafeRawPointer($0.value) as UnsafeRawPointer? }
    let made = log.call(
      "CFDictionaryCreate \(entries.count) entries", failure: nil, show: Shown.reference
    ) {
      table.dictionaryCreate(
        nil, &keys, &values, entries.count, table.constants.dictionaryKeyCallBacks,
        table.constants.dictionaryValueCallBacks)
    }
    return try owned(made, by: "CFDictionaryCreate")
  }

  func makeURL(directory path: String) throws(OrionError) -> ForeignObject {
    let bytes = Array(path.utf8)
    let made = log.call(
      "CFURLCreateFromFileSystemRepresentation \(path)", failure: nil, show: Shown.reference
    ) { table.urlCreate(nil, bytes, bytes.count, 1) }
    return try owned(made, by: "CFURLCreateFromFileSystemRepresentation")
  }

  // Readers give nothing when the object is of another type.

  func string(_ reference: Reference?) -> String? {
    guard let reference, table.typeID(reference) == table.stringTypeID() else { return nil }
    // UTF-8 takes at most three bytes for each UTF-16 unit.
    let capacity = table.stringLength(reference) * 3 + 1
    var buffer = [CChar](repeating: 0, count: capacity)
    guard table.stringGet(reference, &buffer, capacity, utf8) != 0 else { return nil }
    return buffer.withUnsafeBufferPointer { bytes in
      bytes.baseAddress.flatMap { String(validatingCString: $0) }
    }
  }

  func integer(_ reference: Reference?) -> Int? {
    guard let reference, table.typeID(reference) == table.numberTypeID() else { return nil }
    var value: Int64 = 0
    guard table.numberGet(reference, signed64, &value) != 0 else { return nil }
    return Int(value)
  }

  func array(_ reference: Reference?) -> [Reference]? {
    guard let reference, table.typeID(reference) == table.arrayTypeID() else { return nil }
    return (0..<table.arrayCount(reference)).compactMap { table.arrayValue(reference, $0) }
  }

  func value(_ key: String, in dictionary: Reference?) throws(OrionError) -> Reference? {
    guard let dictionary, table.typeID(dictionary) == table.dictionaryTypeID() else { return nil }
    let key = try makeString(key)
    return table.dictionaryValue(dictionary, key.reference)
  }
}

extension UnsafeMutableRawPointer {
  fileprivate var bytes: UnsafeMutablePointer<UInt8> { assumingMemoryBound(to: UInt8.self) }
}
