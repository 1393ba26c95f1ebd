/// The framework's classes: every row, and the objects each world makes of them.

enum FrameworkClasses {
  static let rows: [ClassRow] =
    [
      ClientClass.row, ModelClass.row, DescriptorClass.row, InMemoryModelClass.row,
      RequestClass.row,
      SurfaceObjectClass.row, DeviceInfoClass.row, QoSMapperClass.row,
      PerformanceStatsClass.row, PerformanceStatsClass.surfaceRow,
    ] + SharedEventClasses.rows

  /// A set of class objects of its own for `world`.
  static func make(for world: World) -> [String: ObjectClass] {
    let system = Int(world.profile.os.split(separator: " ").last ?? "") ?? 15
    let made = rows.map {
      ObjectClass.make($0.under(system: system), superclass: FoundationClasses.root, home: world)
    }
    return Dictionary(made.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
  }
}
