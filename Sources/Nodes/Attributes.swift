import Glibc

/// What stat(2) says of a node.
package struct Attributes: Sendable {
    /// The node's number, by which the kernel asks for it.
    package var id: UInt64
    /// st_ino.
    package var ino: UInt64
    package var mode: UInt32
    package var nlink: UInt32
    package var uid: UInt32
    package var gid: UInt32
    /// The kernel's 32-bit encoding.
    package var rdev: UInt32
    package var size: UInt64
    /// Of 512 bytes.
    package var blocks: UInt64
    package var atime: Time
    package var mtime: Time
    package var ctime: Time

    package struct Time: Sendable {
        package var seconds: Int64
        package var nanoseconds: UInt32

        @inlinable package init(seconds: Int64, nanoseconds: UInt32) {
            self.seconds = seconds
            self.nanoseconds = nanoseconds
        }
    }

    package var isDirectory: Bool { mode & S_IFMT == S_IFDIR }
    package var isRegular: Bool { mode & S_IFMT == S_IFREG }
    /// DT_*.
    package var kind: UInt8 { UInt8(truncatingIfNeeded: mode >> 12 & 15) }

    // Each request has one made, in other modules.
    @inlinable package init(
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
