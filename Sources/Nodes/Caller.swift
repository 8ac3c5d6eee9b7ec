/// The user who makes a new node. The filesystem that the node is made on applies the umask, because a default ACL
/// there replaces it.
public struct Caller: Sendable {
    public let uid: UInt32
    public let gid: UInt32
    public let umask: UInt32

    @inlinable public init(uid: UInt32, gid: UInt32, umask: UInt32) {
        self.uid = uid
        self.gid = gid
        self.umask = umask
    }
}
