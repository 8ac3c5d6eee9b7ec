import Glibc

/// The attributes of a node, as stat(2) shows them.
public struct Attributes: Sendable {
    /// The node's number, by which the kernel refers to it.
    public var id: UInt64
    /// st_ino.
    public var ino: UInt64
    public var mode: UInt32
    public var nlink: UInt32
    public var uid: UInt32
    public var gid: UInt32
    /// The kernel's 32-bit encoding.
    public var rdev: UInt32
    public var size: UInt64
    /// In units of 512 bytes.
    public var blocks: UInt64
    public var atime: Time
    public var mtime: Time
    public var ctime: Time

    public struct Time: Sendable {
        public var seconds: Int64
        public var nanoseconds: UInt32

        @inlinable public init(seconds: Int64, nanoseconds: UInt32) {
            self.seconds = seconds
            self.nanoseconds = nanoseconds
        }
    }

    public var isDirectory: Bool { mode & S_IFMT == S_IFDIR }
    public var isRegular: Bool { mode & S_IFMT == S_IFREG }
    /// DT_*.
    public var kind: UInt8 { UInt8(truncatingIfNeeded: mode >> 12 & 15) }

    // Inlinable, because other modules make one for each request.
    @inlinable public init(
        id: UInt64,
        ino: UInt64,
        mode: UInt32,
        nlink: UInt32,
        uid: UInt32 = 0,
        gid: UInt32 = 0,
        rdev: UInt32 = 0,
        size: UInt64 = 0,
        blocks: UInt64 = 0,
        atime: Time = Time(seconds: 0, nanoseconds: 0),
        mtime: Time = Time(seconds: 0, nanoseconds: 0),
        ctime: Time = Time(seconds: 0, nanoseconds: 0)
    ) {
        self.id = id
        self.ino = ino
        self.mode = mode
        self.nlink = nlink
        self.uid = uid
        self.gid = gid
        self.rdev = rdev
        self.size = size
        self.blocks = blocks
        self.atime = atime
        self.mtime = mtime
        self.ctime = ctime
    }
}
