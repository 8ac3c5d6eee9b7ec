/// What a setattr changes; nil stays as it is.
package struct AttributeChange: Sendable {
    package enum Time: Sendable {
        case now
        case at(seconds: Int64, nanoseconds: UInt32)
    }
    package var mode: UInt32?
    package var uid: UInt32?
    package var gid: UInt32?
    package var size: UInt64?
    package var atime: Time?
    package var mtime: Time?
    /// What is to be shown from then on, where the kernel keeps this time itself: as long as it caches what is written. A
    /// ctime can't be set.
    package var ctime: Attributes.Time?
    /// FATTR_KILL_SUIDGID: truncation by a caller who may not keep set-id bits and capabilities.
    package var killsPrivileges = false

    package init() {}
}
