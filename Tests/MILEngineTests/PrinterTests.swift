import Testing

@testable import MILEngine

@Suite struct PrinterTests {
  @Test(arguments: SampleFiles.mil) func appleFilesComeBackByteForByte(_ path: String) throws {
    let text = SampleFiles.text(of: path)
    let printed = try Parser.parse(text).text()
    // One sample was saved by hand with a newline at its end.
    #expect(printed == text || printed + "\n" == text)
  }

  @Test func layoutIsTheCompilers() throws {
    let text = """
      program(1.3)
      [buildInfo = dict<string, string>({{"a", "b\\"\\\\"}})]
      {
          func main<ios18>(tensor<fp16, [1, ?]> x, state<tensor<fp16, [2]>> s) [f = int32(1)] {
                  tensor<fp16, [4]> w = const()[val = tensor<fp16, [4]>(BLOBFILE(path = string("@model_path/w.bin"), offset = uint64(64)))];
                  fp16 a, fp16 b = split<ios17>(values = (x, w), z = list<string, ?>(["p", "q"]));
                  write_state(data = a, input = s);
                  bool r = cond(p = tuple<int32, bool>((1, true))) yes(fp16 k) {
                      fp16 y = relu(x = k);
                  } -> (y);
              } -> (a, b);
      }
      """
    // The nested block's layout is ours; no file with one has been seen.
    #expect(try Parser.parse(text).text() == text)
  }

  @Test func dialectDecidesHowScalarsLook() throws {
    let text = "program(1.3) { func f<ios16>(fp16 x) { int32 y = cast(x = fp16(1)); } -> (y); }"
    var tree = try Parser.parse(text)
    #expect(tree.text().contains("int32 y = cast(x = fp16(1));"))
    tree.version = "1.0"
    #expect(
      tree.text().contains("tensor<int32, []> y = cast(x = tensor<fp16, []>(1));"))
  }
}
