import Synchronization
import Testing

@testable import OrionANE

@Suite struct ProgramSlotsTests {
  final class Fake: SlotHolder {
    let name: String
    let journal: Journal
    let failing = Atomic(false)
    init(_ name: String, _ journal: Journal) {
      self.name = name
      self.journal = journal
    }
    func enterSlot() throws(OrionError) {
      if failing.load(ordering: .relaxed) { throw OrionError(.device, "\(name): cannot enter") }
      journal.add("+\(name)")
    }
    func leaveSlot() throws(OrionError) {
      if failing.load(ordering: .relaxed) { throw OrionError(.device, "\(name): cannot leave") }
      journal.add("-\(name)")
    }
  }

  final class Journal: Sendable {
    private let lines = Mutex<[String]>([])
    func add(_ line: String) { lines.withLock { $0.append(line) } }
    var text: String { lines.withLock { $0.joined(separator: " ") } }
  }

  @Test func theOneUsedLongestAgoMakesRoom() throws {
    let journal = Journal()
    let slots = ProgramSlots(limit: 2)
    let (a, b, c) = (Fake("a", journal), Fake("b", journal), Fake("c", journal))
    for fake in [a, b, a, c, b] { try slots.use(fake) { () throws(OrionError) in } }
    #expect(journal.text == "+a +b -b +c -a +b")
    #expect(slots.loadedCount == 2)
  }

  @Test func aRunningProgramStays() throws {
    let journal = Journal()
    let slots = ProgramSlots(limit: 1)
    let (a, b) = (Fake("a", journal), Fake("b", journal))
    try slots.use(a) { () throws(OrionError) in
      let full = #expect(throws: OrionError.self) {
        try slots.use(b) { () throws(OrionError) in }
      }
      #expect(full?.message.contains("all 1 program slots") == true)
      let busy = #expect(throws: OrionError.self) { try slots.giveBack(a) }
      #expect(busy?.message.contains("runs on another thread") == true)
    }
    try slots.giveBack(a)
    try slots.giveBack(a)
    #expect(journal.text == "+a -a")
  }

  @Test func aFailedUnloadCanBeTriedAgain() throws {
    let journal = Journal()
    let slots = ProgramSlots(limit: 1)
    let (a, b) = (Fake("a", journal), Fake("b", journal))
    try slots.use(a) { () throws(OrionError) in }
    a.failing.store(true, ordering: .relaxed)
    #expect(throws: OrionError.self) { try slots.use(b) { () throws(OrionError) in } }
    #expect(slots.loadedCount == 1)
    a.failing.store(false, ordering: .relaxed)
    try slots.use(b) { () throws(OrionError) in }
    #expect(journal.text == "+a -a +b")
  }

  @Test func aFailedLoadTakesNoSlot() throws {
    let journal = Journal()
    let slots = ProgramSlots(limit: 1)
    let a = Fake("a", journal)
    a.failing.store(true, ordering: .relaxed)
    #expect(throws: OrionError.self) { try slots.use(a) { () throws(OrionError) in } }
    #expect(slots.loadedCount == 0)
  }
}
