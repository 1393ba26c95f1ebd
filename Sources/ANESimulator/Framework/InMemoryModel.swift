/// _ANEInMemoryModel: a descriptor's model, its place on disk, and the calls to the daemon that stand
/// behind its messages. The messages themselves are in InMemoryModelClass.

import Synchronization

final class InMemoryModelObject: LoadedModel, @unchecked Sendable {
  override class var kind: String { "an _ANEInMemoryModel" }

  private struct Place {
    /// Goes when its files are written.
    var descriptor: DescriptorObject?
    var url: URLObject?
  }

  let identifier: String
  let isMIL: Bool
  private let home: World
  private let place: Mutex<Place>

  init(_ descriptor: DescriptorObject, isa: ObjectClass, world: World) {
    identifier = descriptor.identifier
    isMIL = descriptor.isMIL
    home = world
    place = Mutex(Place(descriptor: descriptor.retained()))
    super.init(isa: isa, world: world)
  }

  override func dispose() {
    super.dispose()
    let last = place.withLock { $0 }
    last.descriptor?.release()
    last.url?.release()
  }

  var descriptor: DescriptorObject? { place.withLock { $0.descriptor } }
  var url: URLObject? { place.withLock { $0.url } }

  func take(url: URLObject?) {
    url?.retained()
    place.withLock { place in
      defer { place.url = url }
      return place.url
    }?.release()
  }

  /// Where the framework keeps the model's files when nobody says otherwise.
  var localPath: String { "\(home.temporaryDirectory)/\(identifier)" }

  // MARK: What the messages do

  /// Writes the text to `net.plist`, the options, and of each weight the first entry, under that
  /// entry's name: several weights overwrite each other. With a URL already there nothing is written.
  func saveFiles(_ method: String) throws(Failure) -> URLObject {
    if let url { return url }
    let path = localPath
    guard let descriptor else {
      throw Failure(.invalidModel, in: method, "the model's descriptor was used up before")
    }
    try write(descriptor, to: path, method)
    let url = URLObject(path: path, isDirectory: true, world: world)
    take(url: url)
    url.release()
    place.withLock { place in
      defer { place.descriptor = nil }
      return place.descriptor
    }?.release()
    return self.url ?? url
  }

  private func write(_ descriptor: DescriptorObject, to path: String, _ method: String)
    throws(Failure)
  {
    var files: [(name: String, data: DataObject)] = [("net.plist", descriptor.text)]
    if let options = descriptor.options { files.append(("compiler_options.plist", options)) }
    for (_, entry) in DescriptorObject.entries(descriptor.weights) ?? [] {
      guard let (name, value) = DescriptorObject.first(entry), let data = value as? DataObject
      else { continue }
      files.append((name, data))
    }
    guard Files.makeDirectory(path) else {
      throw Failure(.fileAccess, in: method, "\(path): \(Files.lastError)")
    }
    for (name, data) in files {
      let bytes = UnsafeRawBufferPointer(start: data.bytes, count: data.count)
      guard Files.write(bytes, to: "\(path)/\(name)") else {
        throw Failure(.fileAccess, in: method, "\(path)/\(name): \(Files.lastError)")
      }
    }
  }

  func compile(_ method: String, _ options: DictionaryObject?) throws(Failure) {
    try state.attempt { () throws(Failure) in
      let url = try saveFiles(method)
      try home.daemon.compile(source(method, url.standardPath, options))
    }
  }

  /// What the daemon has compiled under this identity is served, and no file is touched then.
  func load(_ method: String, _ options: DictionaryObject?) throws(Failure) {
    guard state.program == nil else { return }
    let placeholder = source(method, url?.standardPath ?? localPath, options)
    guard !home.daemon.hasCompiled(placeholder) else { return try state.load(placeholder) }
    var path = ""
    try state.attempt { () throws(Failure) in path = try saveFiles(method).standardPath }
    try state.load(source(method, path, options))
  }

  /// Deletes the local directory, except where a load reads files again.
  func unload(_ method: String) throws(Failure) {
    guard let program = state.becomeUnloaded() else {
      throw Failure(.invalidModel, in: method, "the model is not loaded")
    }
    try home.daemon.unload(program, method)
    if home.profile.conduct.reload == .cache { Files.removeTree(localPath) }
  }

  func evaluate(_ method: String, _ request: RequestObject) throws(Failure) {
    guard let program = state.program else {
      throw Failure(.programNotFound, in: method, "the model is not loaded; load it first")
    }
    try home.daemon.evaluate(
      program, request, route: "memory", tellsTimes: state.asksForTimes)
  }

  var isCompiled: Bool { home.daemon.hasCompiled(source("compiledModelExists", localPath, nil)) }

  func purge() { home.daemon.purge(source("purgeCompiledModel", localPath, nil)) }

  private func source(_ method: String, _ directory: String, _ options: DictionaryObject?)
    -> ModelSource
  {
    let named = (options?.object(OptionKeys.fileName) as? StringObject)?.text
    let mask = (options?.object(OptionKeys.statsMask) as? NumberObject)?.integer ?? 0
    return ModelSource(
      method: method, directory: directory, key: "",
      type: isMIL ? OptionKeys.milType : "kANEFModelANECIR",
      fileName: named ?? (isMIL ? "model.mil" : "net.plist"), identity: identifier,
      statsMask: UInt32(truncatingIfNeeded: mask))
  }
}
