/// Who makes a new node. The kernel's default ACLs replace the umask where there are any, which is why the filesystem
/// that the node is made on applies it.
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
