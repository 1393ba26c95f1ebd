import Testing

@testable import OrionANE

@Suite struct TypeEncodingTests {
  @Test(arguments: [
    ("B44@0:8@16@24I32^@36", "B@:@@I^@"),
    ("@24@0:8^{__IOSurface=}16", "@@:^{__IOSurface=}"),
    ("v24@0:8r^{__IOSurface=}16", "v@:^{__IOSurface=}"),
    ("B36@0:8I16@20o^@28", "B@:I@^@"),
    ("@\"NSError2\"16@0:8", "@\"NSError2\"@:"),
    ("v16@0:8(_u=iI)8", "v@:(_u=iI)"),
    ("", ""),
  ])
  func dropsOffsetsAndQualifiers(_ encoding: String, _ expected: String) {
    #expect(TypeEncoding.normalized(encoding) == expected)
  }

  @Test func keepsWhatTellsTypesApart() {
    #expect(TypeEncoding.normalized("B@:@@I^@") != TypeEncoding.normalized("B@:@@Q^@"))
    #expect(
      TypeEncoding.normalized("@@:^{__IOSurface=}") != TypeEncoding.normalized("@@:^{__Surface=}"))
  }
}
