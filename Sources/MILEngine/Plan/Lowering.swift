/// Collects the steps of a plan while the nodes of a function are walked in order.
struct Lowering {
  /// The way of an op that type rules know and plans do not.
  static func unplanned(_ lowering: inout Lowering, _ node: Node) throws(Diagnostic) {
    throw Diagnostic("\(node.op): the engine has no plan for it", rule: "no-plan", at: node.span)
  }
}
