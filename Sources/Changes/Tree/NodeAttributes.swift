import Layers
import Linux
import Overlay
import SystemPackage

import Glibc

/// What inode a name in a tree stands for: from an index, or from the disk.
struct NodeAttributes: Sendable, Equatable {
    /// st_mode: type and permission bits.
    var mode: UInt32
    var uid: UInt32
    var gid: UInt32
    /// Bytes; 0 for directories, where it means nothing.
    var size: UInt64
    var mtimeSeconds: Int64
    var mtimeNanoseconds: UInt32
    /// 0 for what is no device.
    var major: UInt32
    var minor: UInt32

    init(_ inode: InodeRecord) {
        mode = inode.mode
        uid = inode.uid
        gid = inode.gid
        size = inode.isDirectory ? 0 : inode.size
        mtimeSeconds = inode.mtimeSeconds
        mtimeNanoseconds = inode.mtimeNanoseconds
        // The kernel's 32-bit encoding.
        let isDevice = inode.kind == UInt8(DT_CHR) || inode.kind == UInt8(DT_BLK)
        major = isDevice ? inode.rdev >> 8 & 0xfff : 0
        minor = isDevice ? inode.rdev & 0xff | inode.rdev >> 12 & 0xfff00 : 0
    }

    init(_ status: FileStatus) {
        mode = status.st_mode
        uid = status.st_uid
        gid = status.st_gid
        let type = status.st_mode & S_IFMT
        size = type == S_IFREG || type == S_IFLNK ? UInt64(clamping: status.st_size) : 0
        mtimeSeconds = Int64(status.st_mtim.tv_sec)
        mtimeNanoseconds = UInt32(clamping: status.st_mtim.tv_nsec)
        // glibc's 64-bit encoding.
        let device = type == S_IFCHR || type == S_IFBLK ? status.st_rdev : 0
        major = UInt32(truncatingIfNeeded: device >> 8 & 0xfff | device >> 32 & ~0xfff)
        minor = UInt32(truncatingIfNeeded: device & 0xff | device >> 12 & ~0xff)
    }

    var type: UInt32 { mode & S_IFMT }
    var isDirectory: Bool { type == S_IFDIR }
    var isRegular: Bool { type == S_IFREG }
    var isSymlink: Bool { type == S_IFLNK }

    /// A character device 0:0, which others take for a deleted name.
    var isWhiteout: Bool { WhiteoutData.isOne(mode: mode, device: major | minor) }
}

/// An extended attribute as the inside of a mount sees it.
struct NodeXattr: Sendable, Equatable {
    var name: [UInt8]
    var value: [UInt8]
}

extension UpperFile {
    /// What the mount shows.
    var attributes: NodeAttributes { NodeAttributes(marks.shown(status)) }

    /// Sorted by name. `marks`: those that the file has by now.
    func nodeXattrs(_ marks: FileMarks) throws(Errno) -> [NodeXattr] {
        try xattrs(marks).map { NodeXattr(name: $0.name.bytes, value: $0.value) }
    }
}
