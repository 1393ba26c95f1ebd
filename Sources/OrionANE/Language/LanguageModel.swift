/// A compiled language model, text in and text out: a bundle on a device with its tokenizer.
///
/// ```swift
/// let model = try LanguageModel(bundle: "stories.bundle")
/// for try await piece in model.generate("Once upon a time") {
///   print(piece.text, terminator: "")
/// }
/// ```
///
/// May be used from several tasks at once. Texts that are drawn at the same time share the device's steps, and each is
/// what it would be alone; one that finds no room in the model's cache waits until others have ended.
public final class LanguageModel: Sendable {
  /// Where it runs, and what that device has counted.
  public let device: Device
  /// Its own; `nil` when the bundle holds none and takes ids alone.
  public let tokenizer: Tokenizer?
  private let session: Session
  private let conductor: Conductor

  /// Opens the bundle in the directory `bundle` on a device.
  ///
  /// - Throws: ``OrionError`` of kind `file` when the directory holds no bundle, one that is damaged or of a newer
  ///   format, one for another profile than the device's, or a tokenizer that cannot be read.
  public init(bundle: String, device: Device) throws(OrionError) {
    self.device = device
    session = try Session(device: device, bundle: bundle)
    tokenizer = try Tokenizer.find(path: bundle, modelVocabulary: session.vocabulary)
      .map { Tokenizer($0) }
    conductor = try Conductor(session, tokenizer)
  }

  /// Opens the bundle in the directory `bundle` on the device of this name: `cpu`, `sim`, `sim:PROFILE`, `ane` or
  /// `auto`.
  ///
  /// - Throws: as `init(bundle:device:)` with a ``Device``, and what opening the device throws.
  public convenience init(
    bundle: String, device: String = "auto", options: DeviceOptions = DeviceOptions()
  ) throws(OrionError) {
    try self.init(bundle: bundle, device: try Device(device, options: options))
  }

  /// How many token ids there are.
  public var vocabulary: Int { session.vocabulary }
  /// How many tokens a text can hold, its prompt among them.
  public var context: Int { session.context }
  /// The model's family, as its configuration names it.
  public var modelType: String { session.modelType }

  /// Continues a text. Nothing runs before the result is iterated.
  public func generate(_ prompt: String, options: GenerationOptions = GenerationOptions())
    -> Generation
  {
    Generation(conductor: conductor, prompt: .text(prompt), options: options)
  }

  /// Continues token ids, of a model with or without a tokenizer. Nothing runs before the result is iterated.
  public func generate(tokens: [Int32], options: GenerationOptions = GenerationOptions())
    -> Generation
  {
    Generation(conductor: conductor, prompt: .ids(tokens), options: options)
  }

  /// The names of the adapters that are open, sorted.
  public var adapters: [String] { session.adapters }

  /// Reads the adapter in a PEFT directory and keeps it as `name`, beside others. Compiles nothing.
  ///
  /// - Throws: ``OrionError`` of kind `argument` when the name is taken or the bundle has no room for adapters, `file`
  ///   when the directory holds none that fits this model.
  public func openAdapter(_ name: String, from directory: String) throws(OrionError) {
    try session.openAdapter(name, from: directory)
  }

  /// Forgets an adapter. Texts that it reads go on with it.
  ///
  /// - Throws: ``OrionError`` of kind `argument` when no adapter has the name.
  public func closeAdapter(_ name: String) throws(OrionError) { try session.closeAdapter(name) }
}
