import CFUSE
import Glibc
import Nodes

extension fuse_entry_param {
    init(_ status: Attributes) {
        self.init()
        ino = status.id
        attr = stat(status)
        attr_timeout = Session.forever
        entry_timeout = Session.forever
    }
}

extension stat {
    init(_ status: Attributes) {
        self.init()
        st_ino = UInt(status.ino)
        st_mode = status.mode
        st_nlink = UInt(status.nlink)
        st_uid = status.uid
        st_gid = status.gid
        st_rdev = UInt(status.rdev)
        st_size = Int(truncatingIfNeeded: status.size)
        st_blksize = 4096
        st_blocks = Int(truncatingIfNeeded: status.blocks)
        st_atim = timespec(tv_sec: Int(status.atime.seconds), tv_nsec: Int(status.atime.nanoseconds))
        st_mtim = timespec(tv_sec: Int(status.mtime.seconds), tv_nsec: Int(status.mtime.nanoseconds))
        st_ctim = timespec(tv_sec: Int(status.ctime.seconds), tv_nsec: Int(status.ctime.nanoseconds))
    }
}

extension AttributeChange {
    /// `valid`: FUSE_SET_ATTR_*.
    init(_ new: stat, valid: CInt) {
        self.init()
        func has(_ flag: CInt) -> Bool { valid & flag != 0 }
        if has(FUSE_SET_ATTR_MODE) { mode = new.st_mode }
        if has(FUSE_SET_ATTR_UID) { uid = new.st_uid }
        if has(FUSE_SET_ATTR_GID) { gid = new.st_gid }
        if has(FUSE_SET_ATTR_SIZE) { size = UInt64(bitPattern: Int64(new.st_size)) }
        if has(FUSE_SET_ATTR_ATIME_NOW) {
            atime = .now
        } else if has(FUSE_SET_ATTR_ATIME) {
            atime = .at(
                seconds: Int64(new.st_atim.tv_sec),
                nanoseconds: UInt32(truncatingIfNeeded: new.st_atim.tv_nsec)
            )
        }
        if has(FUSE_SET_ATTR_MTIME_NOW) {
            mtime = .now
        } else if has(FUSE_SET_ATTR_MTIME) {
            mtime = .at(
                seconds: Int64(new.st_mtim.tv_sec),
                nanoseconds: UInt32(truncatingIfNeeded: new.st_mtim.tv_nsec)
            )
        }
        if has(FUSE_SET_ATTR_CTIME) {
            ctime = Attributes.Time(
                seconds: Int64(new.st_ctim.tv_sec),
                nanoseconds: UInt32(truncatingIfNeeded: new.st_ctim.tv_nsec)
            )
        }
        killsPrivileges = cfuse_setattr_kills_privileges() != 0
    }
}
