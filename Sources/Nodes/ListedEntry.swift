/// A name that a directory shows.
package struct ListedEntry {
    /// Lives only during the call it is passed to.
    package let name: UnsafeRawBufferPointer
    package let attributes: Attributes
    /// Where to go on behind this entry.
    package let next: UInt64

    @inlinable package init(name: UnsafeRawBufferPointer, attributes: Attributes, next: UInt64) {
        self.name = name
        self.attributes = attributes
        self.next = next
    }
}
