/// Class objects and metaclasses. The classes of CoreFoundation's values are the process's; those
/// of the Neural Engine's framework are one set per world.

final class ObjectClass: Instance, @unchecked Sendable {
  override class var kind: String { "a class" }

  let name: String
  let superclass: ObjectClass?
  let isMeta: Bool
  private let methods: [UInt: Method]
  /// The world of a framework class; not kept alive by it.
  private(set) weak var home: World?

  fileprivate init(
    name: String, superclass: ObjectClass?, isa: ObjectClass?, methods: [Method], home: World?
  ) {
    self.name = name
    self.superclass = superclass
    self.isMeta = isa == nil
    self.home = home
    self.methods = Dictionary(
      methods.map { (UInt(bitPattern: $0.selector), $0) }, uniquingKeysWith: { first, _ in first })
    super.init(isa: isa, world: nil, isImmortal: true)
  }

  /// Makes the class of `row` with its metaclass.
  static func make(_ row: ClassRow, superclass: ObjectClass?, home: World? = nil) -> ObjectClass {
    let meta = ObjectClass(
      name: row.name, superclass: superclass?.isa, isa: nil, methods: row.classMethods, home: home)
    let made = ObjectClass(
      name: row.name, superclass: superclass, isa: meta, methods: row.instanceMethods, home: home)
    let rootMeta = superclass?.root.isa ?? meta
    meta.address.storeBytes(of: rootMeta.address, as: Pointer.self)
    meta.rootClass = superclass?.root ?? made
    return made
  }

  /// Where the search of a metaclass goes on after the root metaclass: class objects are objects
  /// too.
  private unowned var rootClass: ObjectClass!
  private var root: ObjectClass { superclass?.root ?? self }

  override var className: String { isMeta ? "metaclass of \(name)" : "class \(name)" }

  func method(_ selector: Pointer) -> Method? {
    let key = UInt(bitPattern: selector)
    if let own = methods[key] { return own }
    if let superclass { return superclass.method(selector) }
    return isMeta ? rootClass.method(selector) : nil
  }

  /// This class or one it descends from.
  func isKind(of other: ObjectClass) -> Bool {
    self === other || (superclass?.isKind(of: other) ?? false)
  }
}

/// The classes every process has.
enum FoundationClasses {
  static let all: [String: ObjectClass] = {
    var made: [String: ObjectClass] = [:]
    for row in RootClass.rows + ValueClasses.rows {
      made[row.name] = ObjectClass.make(row, superclass: row.superclass.flatMap { made[$0] })
    }
    return made
  }()

  static let root = all["NSObject"]!

  /// A class of the rows; a name that has no row is the root class.
  static func named(_ name: String) -> ObjectClass { all[name] ?? root }
}
