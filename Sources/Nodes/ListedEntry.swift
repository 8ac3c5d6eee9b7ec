/// A name that a directory shows.
public struct ListedEntry {
    /// Lives only during the call it is passed to.
    public let name: UnsafeRawBufferPointer
    public let attributes: Attributes
    /// Where to go on behind this entry.
    public let next: UInt64

    @inlinable public init(name: UnsafeRawBufferPointer, attributes: Attributes, next: UInt64) {
        self.name = name
        self.attributes = attributes
        self.next = next
    }
}
