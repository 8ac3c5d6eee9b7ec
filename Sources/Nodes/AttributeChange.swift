/// The changes of a setattr; nil leaves a value alone.
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
    /// The ctime to show from then on, which the kernel sets itself as long as it caches writes. A ctime can't be
    /// set on a file.
    package var ctime: Attributes.Time?
    /// FATTR_KILL_SUIDGID: the caller, who truncates, may not keep set-id bits and capabilities.
    package var killsPrivileges = false

    package init() {}
}
