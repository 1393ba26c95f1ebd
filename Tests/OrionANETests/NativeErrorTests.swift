import Testing

@testable import OrionANE

@Suite struct NativeErrorTests {
  private func engine(_ code: Int, _ text: String = "", reason: String? = nil) -> NativeError {
    NativeError(domain: "com.apple.appleneuralengine", code: code, text: text, reason: reason)
  }

  @Test func saysDomainCodeTextReasonAndWhatToDo() {
    let error = engine(6, "loadModel: failure (0x50004)", reason: "127 are loaded")
    #expect(
      error.message
        == "com.apple.appleneuralengine 6: loadModel: failure (0x50004) (127 are loaded);"
        + " too many programs are loaded; free some, or put several functions into one program")
  }

  @Test func aReasonThatTheTextHasIsNotRepeated() {
    #expect(
      engine(99, "no: bad", reason: "bad").message == "com.apple.appleneuralengine 99: no: bad")
  }

  @Test(arguments: [
    ("status=0x1d : statusType=0x9", "too small"), ("status=0x16 : statusType=0x9", "faulted"),
    ("status=0x2 : statusType=0x9", "symbol index"),
  ])
  func evaluationStatusesAreTold(_ text: String, _ advice: String) {
    #expect(engine(8, "Direct() Failed with \(text)").message.contains(advice))
  }

  @Test func onlySomeErrorsAreWorthACompile() {
    #expect(engine(6, "Program load failure").mayBeStale)
    #expect(engine(23).mayBeStale)
    #expect(!engine(6, "(0x50004)").mayBeStale)
    #expect(!engine(6, "(0x20004)").mayBeStale)
    #expect(!engine(7).mayBeStale)
    #expect(
      !NativeError(domain: "com.apple.appleneuralengine.compiler", code: 1, text: "").mayBeStale)
  }
}
