import Synchronization

/// Draws the texts of one session, all that are asked for at once in the same steps. It knows no bundle.
///
/// A text begins when the session has slots for all its tokens, so that others never cut it short.
actor Conductor {
  nonisolated private let thread: WorkThread
  nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  nonisolated let session: Session
  nonisolated let tokenizer: Tokenizer?
  private var waiting: [Job] = []
  private var running: [Job] = []
  private var isBusy = false

  init(_ session: Session, _ tokenizer: Tokenizer?) throws(OrionError) {
    self.session = session
    self.tokenizer = tokenizer
    thread = try WorkThread()
  }

  /// What is continued.
  enum Prompt: Sendable {
    case text(String)
    case ids([Int32])
  }

  /// A text that someone waits for.
  final class Job: @unchecked Sendable {
    // All but the channel is the conductor's.
    let channel = PieceChannel()
    let prompt: Prompt
    let options: GenerationOptions
    /// The session works on it.
    let isActive = Atomic(false)
    fileprivate var ids: [Int32] = []
    fileprivate var sequence: TokenSequence?
    fileprivate var writer: PieceWriter?
    fileprivate var reserved = 0

    init(_ prompt: Prompt, _ options: GenerationOptions) {
      self.prompt = prompt
      self.options = options
    }

    fileprivate func end(_ error: OrionError?) {
      if let error { channel.fail(error) }
      sequence = nil
    }
  }

  func take(_ job: Job) {
    do throws(OrionError) {
      try prepare(job)
    } catch {
      job.end(error)
      return
    }
    waiting.append(job)
    guard !isBusy else { return }
    isBusy = true
    Task { await run() }
  }

  /// Ends the step that works for a text which nobody wants any more; the others' part of it is done again.
  nonisolated func wake(_ job: Job) {
    if job.isActive.load(ordering: .relaxed) { session.cancel() }
  }

  private func run() async {
    while !waiting.isEmpty || !running.isEmpty {
      for job in running where job.channel.isCancelled { job.end(nil) }
      running.removeAll { $0.channel.isCancelled }
      waiting.removeAll { $0.channel.isCancelled }
      admit()
      step()
      await Task.yield()
    }
    isBusy = false
  }

  // MARK: - A text's beginning

  private func prepare(_ job: Job) throws(OrionError) {
    try job.options.validate()
    job.ids = try ids(of: job.prompt)
    job.writer = try PieceWriter(job.options, tokenizer, prompt: job.ids)
    guard job.ids.count <= session.context else {
      throw session.full(job.ids.count, after: 0)
    }
    let (wanted, overflow) = job.ids.count.addingReportingOverflow(job.options.maxTokens)
    job.reserved = overflow ? session.context : min(wanted, session.context)
  }

  private func ids(of prompt: Prompt) throws(OrionError) -> [Int32] {
    var ids: [Int32]
    switch prompt {
    case .ids(let given): ids = given
    case .text(let text):
      guard let tokenizer else { throw PieceWriter.noTokenizer }
      ids = tokenizer.encode(text)
      // Nothing is a text too: one that begins.
      if ids.isEmpty, let begin = tokenizer.beginToken { ids = [begin] }
    }
    guard !ids.isEmpty else {
      throw OrionError(.argument, "prompt: it has no tokens; give at least one")
    }
    return ids
  }

  /// Begins texts in the order in which they came, as long as the session has room for all of their tokens.
  private func admit() {
    var joining: [Job] = []
    var taken = running.reduce(0) { $0 + $1.reserved }
    while let job = waiting.first, taken == 0 || taken + job.reserved <= session.runner.capacity {
      waiting.removeFirst()
      job.isActive.store(true, ordering: .relaxed)
      guard open(job) else { continue }
      taken += job.reserved
      joining.append(job)
    }
    read(joining)
  }

  private func open(_ job: Job) -> Bool {
    let sequence = session.open()
    do throws(OrionError) {
      try session.use(adapter: job.options.adapter, in: sequence)
      try session.use(job.options.sampling, in: sequence)
    } catch {
      job.end(error)
      return false
    }
    job.sequence = sequence
    return true
  }

  /// Reads the prompts of texts in steps that they share.
  private func read(_ joining: [Job]) {
    var jobs = joining
    while !jobs.isEmpty {
      do throws(OrionError) {
        try session.feed(jobs.compactMap { job in job.sequence.map { (job.ids, $0) } })
        for job in jobs { job.writer?.hasRead() }
        running += jobs
        return
      } catch {
        guard error.kind == .cancelled else {
          // One of them fails; which one, each finds out alone.
          if jobs.count == 1 { jobs[0].end(error) } else { for job in jobs { read([job]) } }
          return
        }
        // Whoever was not cancelled is read again.
        for job in jobs where job.channel.isCancelled { job.end(nil) }
        jobs.removeAll { $0.channel.isCancelled }
      }
    }
  }

  // MARK: - Steps

  /// Draws a token of each text.
  private func step() {
    var jobs = running.filter { $0.options.maxTokens > 0 }
    for job in running where job.options.maxTokens == 0 { write([], .count, of: job) }
    defer { running.removeAll { $0.sequence == nil } }
    jobs.removeAll { $0.channel.isCancelled }
    guard !jobs.isEmpty else { return }
    do throws(OrionError) {
      try draw(jobs)
    } catch {
      if error.kind == .cancelled { return }
      guard jobs.count > 1 else {
        jobs[0].end(error)
        return
      }
      // One of them fails; which one, each finds out alone.
      for job in jobs {
        do throws(OrionError) { try draw([job]) } catch {
          if error.kind != .cancelled { job.end(error) }
        }
      }
    }
  }

  private func draw(_ jobs: [Job]) throws(OrionError) {
    let results = try session.generate(1, in: jobs.compactMap(\.sequence))
    for (job, result) in zip(jobs, results) { write(result.tokens, result.finish, of: job) }
  }

  private func write(_ tokens: [Int32], _ finish: Session.Finish, of job: Job) {
    guard let piece = job.writer?.write(tokens, finish) else { return }
    job.channel.send(piece)
    if piece.finish != nil { job.end(nil) }
  }
}
