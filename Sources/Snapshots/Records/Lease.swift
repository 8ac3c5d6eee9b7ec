/// Keeps snapshots from being collected while somebody is working with them: an image's by the key of its
/// topmost one, which is its chain ID.
package struct Lease: Sendable, Equatable {
    package var id: String
    /// Unix nanoseconds.
    package var created: Int64
    /// Unix nanoseconds; nil: until it is removed.
    package var expires: Int64?
    /// Keys, of snapshots that exist or will.
    package var snapshots: [String]
}
