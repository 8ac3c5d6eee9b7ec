/// So many references to a node, of those that the kernel holds.
public struct References: Sendable {
    public let node: UInt64
    public let count: UInt64

    @inlinable public init(_ node: UInt64, _ count: UInt64) {
        self.node = node
        self.count = count
    }
}
