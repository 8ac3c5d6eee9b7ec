import CLinux
import Glibc
import Linux

/// What stat(2) says of a node.
package struct Attributes: Sendable {
    /// The node's number, by which the kernel asks for it.
    package var id: UInt64
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

        package init(seconds: Int64, nanoseconds: UInt32) {
            self.seconds = seconds
            self.nanoseconds = nanoseconds
        }
    }

    package var isDirectory: Bool { mode & S_IFMT == S_IFDIR }
    package var isRegular: Bool { mode & S_IFMT == S_IFREG }
    /// DT_*.
    package var kind: UInt8 { UInt8(truncatingIfNeeded: mode >> 12 & 15) }

    init(id: UInt64, ino: UInt64, lower inode: LowerInode, nlink: UInt32) {
        self.id = id
        self.ino = ino
        mode = inode.mode
        self.nlink = nlink
        uid = inode.uid
        gid = inode.gid
        rdev = inode.rdev
        size = inode.size
        blocks = inode.blocks
        atime = inode.atime
        mtime = inode.mtime
        ctime = inode.ctime
    }

    /// Of a directory of which only number and type matter.
    init(directory id: UInt64, ino: UInt64) {
        self.id = id
        self.ino = ino
        mode = S_IFDIR
        nlink = 2
        uid = 0
        gid = 0
        rdev = 0
        size = 0
        blocks = 0
        mtime = Time(seconds: 0, nanoseconds: 0)
        atime = mtime
        ctime = mtime
    }

    init(id: UInt64, ino: UInt64, upper status: FileStatus, nlink: UInt32) {
        self.id = id
        self.ino = ino
        mode = status.st_mode
        self.nlink = nlink
        uid = status.st_uid
        gid = status.st_gid
        rdev = clinux_encode_device(UInt64(status.st_rdev))
        size = UInt64(status.st_size)
        blocks = UInt64(status.st_blocks)
        atime = Time(status.st_atim)
        mtime = Time(status.st_mtim)
        ctime = Time(status.st_ctim)
    }
}

extension Attributes.Time {
    init(_ time: timespec) {
        self.init(seconds: Int64(time.tv_sec), nanoseconds: UInt32(truncatingIfNeeded: time.tv_nsec))
    }
}
