import Digests

/// Where the import has put a file's content.
enum StoredContent {
    case none
    /// Offset in the layer's pack.
    case packed(UInt64)
    case object(Digest)
}
