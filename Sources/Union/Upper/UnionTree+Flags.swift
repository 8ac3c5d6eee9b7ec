package import Linux

import CLinux
import Glibc
import SystemPackage

/// The inode flags that lsattr(1) shows and chattr(1) changes: those of the file that has the data, as far as its
/// filesystem has any.
///
/// Files of an upper can't be made immutable or append-only, because the filesystem would refuse the union's own
/// work, too: completing data, copying a file into a directory, removing a container.
extension UnionTree {
    /// The flags that an owner may change and that don't get in the way: FS_*_FL SECRM, UNRM, COMPR, SYNC, NODUMP,
    /// NOATIME, NOCOMP, NOTAIL, DIRSYNC, TOPDIR and NOCOW. JOURNAL_DATA is not an owner's to change, and names in a
    /// directory with CASEFOLD would differ from those that the union knows.
    private static let changeable: UInt32 = 0x0083_84cf

    /// FS_*_FL of a regular file or a directory. ENOTTY where the filesystem has no flags.
    package func flags(of id: UInt64) throws(FSError) -> UInt32 {
        guard let file = try openForFlags(id) else { return 0 }
        var flags: UInt32 = 0
        let result = file.fd.use { clinux_get_flags($0, &flags) }
        guard result >= 0 else { throw .system(Errno(rawValue: -result)) }
        return flags
    }

    /// A `struct fsxattr`, as FS_IOC_FSGETXATTR gives it.
    package func extendedFlags(of id: UInt64) throws(FSError) -> [UInt8] {
        var flags = [UInt8](repeating: 0, count: Int(CLINUX_FSXATTR_SIZE))
        guard let file = try openForFlags(id) else { return flags }
        let result = file.fd.use { clinux_get_fsxattr($0, &flags) }
        guard result >= 0 else { throw .system(Errno(rawValue: -result)) }
        return flags
    }

    /// Copies up first. EOPNOTSUPP for immutable and append-only, and for flags that can't be changed. The copy of
    /// an immutable file is not immutable; an immutable directory stays so.
    package func setFlags(of id: UInt64, to flags: UInt32) throws(FSError) {
        let refused = UInt32(CLINUX_IMMUTABLE_FL | CLINUX_APPEND_FL)
        let changed = try self.flags(of: id) ^ flags
        guard flags & refused == 0, changed & ~(UnionTree.changeable | refused) == 0 else {
            throw .system(.notSupported)
        }
        let node = try copyUp(id, isForced: true)
        guard let file = try openForFlags(id) else { throw .system(.inappropriateIOCTLForDevice) }
        // The other flags say how the filesystem stores the copy.
        var kept: UInt32 = 0
        var result = file.fd.use { clinux_get_flags($0, &kept) }
        guard result >= 0 else { throw .system(Errno(rawValue: -result)) }
        let new = kept & ~UnionTree.changeable | flags & UnionTree.changeable
        result = file.fd.use { clinux_set_flags($0, new) }
        guard result >= 0 else { throw .system(Errno(rawValue: -result)) }
        node.noteChange()
    }

    private func openForFlags(_ id: UInt64) throws(FSError) -> OpenFile? {
        guard let node = table.find(id) else { return try lower.openForFlags(lowerInode(id)) }
        if node.isRegular { return try open(node) }
        guard node.isDirectory else { throw .system(.inappropriateIOCTLForDevice) }
        let held = names.lock()
        defer { names.unlock() }
        let directory = try self.directory(held, node)
        return try FSError.wrap { () throws(Errno) in
            OpenFile(try directory.fd.openQuietly(.dot, O_RDONLY | O_DIRECTORY))
        }
    }

    /// EPERM for a directory whose lower is immutable. Unlike a file's, its copy may exist for the sake of what is
    /// below the directory.
    func refuseImmutable(_ held: HeldNames, _ directory: Node) throws(FSError) {
        guard let merged = directory.lower, directory !== root else { return }
        if directory.hasImmutableLower == nil {
            directory.hasImmutableLower = try lower.isImmutable(merged)
        }
        if directory.hasImmutableLower == true { throw .system(.notPermitted) }
    }

    /// EPERM for an immutable lower file, which is not copied up either.
    func refuseImmutable(_ inode: UInt32) throws(FSError) {
        if try lower.isImmutable(inode) { throw .system(.notPermitted) }
    }
}
