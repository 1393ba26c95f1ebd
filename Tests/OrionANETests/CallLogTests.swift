import Testing

@testable import OrionANE

@Suite struct CallLogTests {
  @Test func failsTheNthCallAndDoesNotMakeIt() {
    let log = CallLog(trace: true, failCall: 2)
    var made = 0
    let results = (1...3).map { _ in
      log.call("step", failure: 0, show: Shown.bool) {
        made += 1
        return 1
      }
    }
    #expect(results == [1, 0, 1])
    #expect(made == 2)
    #expect(log.callCount == 3)
    #expect(log.take() == "step -> true\nstep -> false (call 2, made to fail)\nstep -> true\n")
    #expect(log.take() == "")
  }

  @Test func callsThatCannotFailAreNotCounted() {
    let log = CallLog(trace: true, failCall: 1)
    log.record("purge", show: Shown.nothing) {}
    #expect(log.callCount == 0)
    #expect(log.take() == "purge\n")
  }

  @Test func writesNothingUnlessTracing() {
    let log = CallLog(trace: false, failCall: 0)
    _ = log.call("step", failure: 1, show: Shown.code) { 0 }
    #expect(log.take() == "")
    #expect(log.callCount == 1)
  }
}
