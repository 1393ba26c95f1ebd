/// Collects the steps of a plan while the nodes of a function are walked in order.
struct Lowering {}
