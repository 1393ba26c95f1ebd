import COrionANE

/// Calls that look into MIL text and change it.
extension Caller {
  static let textRows = [
    Row(weight: 6, cost: 16) { $0.check() }, Row(weight: 2, cost: 16) { $0.fix() },
    Row(weight: 2, cost: 16) { $0.expose() }, Row(weight: 1, cost: 60) { $0.shrink() },
  ]

  /// Calls `body` with a sample's text, or what is left of it.
  private mutating func withSample(
    _ body: (UnsafePointer<CChar>?, Int) -> orion_status, _ name: String
  ) {
    let text = sample(of: SamplePrograms.all)
    let size = draw.below(16) == 0 ? draw.pick([0, -1, 1]) : text.count
    let status = text.withUnsafeBytes { buffer in
      body(buffer.bindMemory(to: CChar.self).baseAddress, size)
    }
    judge(status, name)
  }

  private mutating func profiles() -> String? {
    draw.pick(["m4-macos15", "m1-macos15,paper", "cpu", nil, "", "none"])
  }

  private mutating func check() {
    let profiles = profiles()
    let directory = draw.below(4) == 0 ? path() : nil
    var json: UnsafeMutablePointer<CChar>?
    withSample({ orion_check($0, $1, directory, profiles, &json) }, "check")
    orion_text_free(json)
  }

  private mutating func fix() {
    let profiles = profiles()
    var json: UnsafeMutablePointer<CChar>?
    withSample({ orion_fix($0, $1, nil, profiles, &json) }, "fix")
    orion_text_free(json)
  }

  private mutating func expose() {
    let names: String? = draw.pick([nil, "s", "s,p", "", "none"])
    let shapes = draw.pick(["{\"x\": [1, 4, 1, 32]}", "{}", "", "[", "{\"x\": [1e9, -1]}"])
    var json: UnsafeMutablePointer<CChar>?
    if draw.below(2) == 0 {
      withSample({ orion_expose($0, $1, "main", names, &json) }, "expose")
    } else {
      withSample({ orion_mil_bind($0, $1, "main", shapes, &json) }, "mil_bind")
    }
    orion_text_free(json)
  }

  private mutating func shrink() {
    var answers = (draw.byte(), 0)
    var json: UnsafeMutablePointer<CChar>?
    withUnsafeMutablePointer(to: &answers) { answers in
      withSample(
        {
          orion_shrink(
            $0, $1,
            { context, _, _ in
              guard let context else { return -1 }
              let answers = context.assumingMemoryBound(to: (UInt8, Int).self)
              answers.pointee.1 += 1
              if answers.pointee.1 > 40 { return -1 }
              return Int32(answers.pointee.0 >> UInt8(answers.pointee.1 % 8) & 1)
            }, answers, &json)
        }, "shrink")
    }
    orion_text_free(json)
  }
}
