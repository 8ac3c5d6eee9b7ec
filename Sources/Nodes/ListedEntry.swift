/// A name that a directory shows.
public struct ListedEntry {
    /// Valid only during the call that it is passed to.
    public let name: UnsafeRawBufferPointer
    public let attributes: Attributes
    /// The position behind this entry, to go on from.
    public let next: UInt64

    @inlinable public init(name: UnsafeRawBufferPointer, attributes: Attributes, next: UInt64) {
        self.name = name
        self.attributes = attributes
        self.next = next
    }
}
