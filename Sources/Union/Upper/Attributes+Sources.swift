import CLinux
import Glibc
import Linux
import Nodes

extension Attributes {
    init(id: UInt64, ino: UInt64, lower inode: LowerInode, nlink: UInt32) {
        self.init(
            id: id,
            ino: ino,
            mode: inode.mode,
            nlink: nlink,
            uid: inode.uid,
            gid: inode.gid,
            rdev: inode.rdev,
            size: inode.size,
            blocks: inode.blocks,
            atime: inode.atime,
            mtime: inode.mtime,
            ctime: inode.ctime
        )
    }

    init(id: UInt64, ino: UInt64, upper status: FileStatus, nlink: UInt32) {
        self.init(
            id: id,
            ino: ino,
            mode: status.st_mode,
            nlink: nlink,
            uid: status.st_uid,
            gid: status.st_gid,
            rdev: clinux_encode_device(UInt64(status.st_rdev)),
            size: UInt64(status.st_size),
            blocks: UInt64(status.st_blocks),
            atime: Time(status.st_atim),
            mtime: Time(status.st_mtim),
            ctime: Time(status.st_ctim)
        )
    }
}

extension Attributes.Time {
    init(_ time: timespec) {
        self.init(seconds: Int64(time.tv_sec), nanoseconds: UInt32(truncatingIfNeeded: time.tv_nsec))
    }
}
