/// A number of the kernel's references to a node.
public struct References: Sendable {
    public let node: UInt64
    public let count: UInt64

    @inlinable public init(_ node: UInt64, _ count: UInt64) {
        self.node = node
        self.count = count
    }
}
