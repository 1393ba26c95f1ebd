// Text to token ids and back, by Python's libraries.

import PythonKit

/// A model's tokenizer.
public struct PythonTokenizer {
  private let tokenizer: PythonObject

  init(_ tokenizer: PythonObject) { self.tokenizer = tokenizer }

  /// - Throws: `OrionPython.Failure`.
  public func encode(_ text: String) throws -> [Int32] {
    [Int32](try call(tokenizer.encode, [text])) ?? []
  }

  /// - Throws: `OrionPython.Failure`.
  public func decode(_ ids: [Int32]) throws -> String {
    String(try call(tokenizer.decode, [ids])) ?? ""
  }
}
