import FUSE
import Union

/// The union answers what the kernel asks. Neither module knows the other: a method of `UnionTree` has the name and the
/// types that the protocol gives it.
extension UnionTree: Operations {}
