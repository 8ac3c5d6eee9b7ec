import FUSE
import Union

/// The union answers requests. Neither module knows the other: methods of `UnionTree` have the names and types of
/// the protocol.
extension UnionTree: Operations {}
