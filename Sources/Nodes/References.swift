/// So many references to a node, of those that the kernel holds.
package struct References: Sendable {
    package let node: UInt64
    package let count: UInt64

    @inlinable package init(_ node: UInt64, _ count: UInt64) {
        self.node = node
        self.count = count
    }
}
