package import OCI

/// Keeps from collection what nothing else names yet: layers of a pull that was broken off, snapshots of a build. Gone
/// when it is removed, or has expired and a collection comes.
package struct Lease: Sendable, Equatable {
    package var id: String
    /// Unix nanoseconds.
    package var created: Int64
    /// Unix nanoseconds; nil: until it is removed.
    package var expires: Int64?
    /// Keys of mica's own, of snapshots that exist or will: an image's topmost one has its chain ID.
    package var snapshots: [String]
    /// Of the store: one that a damaged database has lost is not there.
    package var layers: [Digest] = []
}
