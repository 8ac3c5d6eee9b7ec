/// One difference between two trees.
package struct Change: Sendable, Equatable {
    /// docker's letters.
    package enum Kind: String, Sendable {
        case added = "A"
        case changed = "C"
        case deleted = "D"
    }

    package var kind: Kind
    /// Absolute in the image. Bytes.
    package var path: [UInt8]
    /// The new size of a regular file or symbolic link, the old one of a deleted one; 0 for everything else.
    package var size: UInt64
    /// New size less old size, bytes.
    package var difference: Int64

    package init(kind: Kind, path: [UInt8], size: UInt64, difference: Int64) {
        self.kind = kind
        self.path = path
        self.size = size
        self.difference = difference
    }
}
