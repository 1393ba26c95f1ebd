/// Rules about who calls the framework and how often. Every program meets them; the finding stands at the
/// program's first function and says what holds for this profile.

extension RuleCheck {
  static let hostChecks: [RuleCheck] = [
    RuleCheck(id: "program-limit", isAboutUse: true) { subject in
      let limits = subject.profile.limits
      let counts = limits.compilesMax < limits.loadedProgramsMax
      return first(
        subject,
        counts
          ? "compiling it is one of the \(limits.compilesMax) compiles of a process"
          : "loading it takes one of \(limits.loadedProgramsMax) places")
    },
    RuleCheck(id: "queue-depth", isAboutUse: true) { subject in
      first(
        subject, "at most \(subject.profile.limits.queueDepthMax) requests to it may be in flight")
    },
    RuleCheck(id: "mil-text-type", isAboutUse: true) {
      first($0, "the text reaches the framework as bytes")
    },
    RuleCheck(id: "restart-cost", isAboutUse: true) { subject in
      let milliseconds = Int((subject.profile.cost.startSeconds * 1000).rounded())
      return first(
        subject,
        milliseconds > 0
          ? "a new process for it costs \(milliseconds) ms"
          : "a new process would give it a new count of compiles, which nothing needs here")
    },
    RuleCheck(id: "failed-compile-pacing", isAboutUse: true) { subject in
      let seconds = Int(subject.profile.cost.failurePauseSeconds)
      return first(
        subject,
        seconds > 0
          ? "after a failed compile the next takes \(seconds) s"
          : "a compile after a failed one was seen slow on other chips")
    },
  ]

  private static func first(_ subject: RuleSubject, _ message: String) -> [RuleFinding] {
    guard let function = subject.functions.first else { return [] }
    return [RuleFinding(message, at: function.syntax.span)]
  }
}
