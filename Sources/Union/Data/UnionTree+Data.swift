package import Linux
package import Nodes
import Overlay

import CLinux
import Glibc
import SystemPackage

extension UnionTree {
    /// pread(2): fills `buffer` from byte `offset` as far as the file goes.
    package func read(
        _ id: UInt64,
        into buffer: UnsafeMutableRawBufferPointer,
        at offset: UInt64
    ) throws(FSError) -> Int {
        guard let node = table.find(id) else {
            return try lower.read(lowerInode(id), into: buffer, at: offset)
        }
        switch node.data {
        case .lower(let inode): return try lower.read(inode, into: buffer, at: offset)
        case .lost: throw .system(.ioError)
        case .damaged: throw .system(Errno(rawValue: EUCLEAN))
        case .partial(let data): return try partial(node, data).read(into: buffer, at: offset)
        case .upper: break
        }
        let file = try open(node)
        return try FSError.wrap { () throws(Errno) in try file.fd.readFully(into: buffer, at: offset) }
    }

    /// pwrite(2), which copies the file up first; returns how many bytes fit. `killsPrivileges`: the writer
    /// may not keep set-id bits and capabilities.
    package func write(
        _ id: UInt64,
        _ bytes: UnsafeRawBufferPointer,
        at offset: UInt64,
        killsPrivileges: Bool
    ) throws(FSError) -> Int {
        let node = try copyUp(id, data: .blocks)
        let file = try open(node)
        if killsPrivileges { try killPrivileges(file) }
        if case .partial(let data) = node.data {
            return try partial(node, data, file).write(bytes, at: offset)
        }
        // As much as fits: a full disk must not lose the part that was written.
        return try FSError.wrap { () throws(Errno) in
            try file.fd.use { raw throws(Errno) in
                try Errno.retrying { () -> Int in pwrite(raw, bytes.baseAddress, bytes.count, off_t(offset)) }
            }
        }
    }

    /// Writes what the kernel's write-back cache held. The kernel sets the times by a change of attributes,
    /// and sends none where they equal what it was last told: so the file keeps its times here.
    package func writeBack(
        _ id: UInt64,
        _ bytes: UnsafeRawBufferPointer,
        at offset: UInt64
    ) throws(FSError) -> Int {
        let node = try copyUp(id, data: .blocks)
        let file = try open(node)
        return try node.keepingStatus(in: file.fd) { () throws(FSError) in
            let before = try FSError.wrap { () throws(Errno) in try file.fd.status() }
            let count = try write(id, bytes, at: offset, killsPrivileges: false)
            try FSError.wrap { () throws(Errno) in
                try file.fd.changeTimes(
                    .itself,
                    access: timespec(tv_sec: 0, tv_nsec: UTIME_OMIT),
                    modification: before.st_mtim
                )
            }
            return count
        }
    }

    /// The target of a symbolic link.
    package func target(of id: UInt64) throws(FSError) -> [UInt8] {
        guard let node = table.find(id) else {
            return try lower.target(of: lowerInode(id))
        }
        let held = names.lock()
        defer { names.unlock() }
        let (directory, name) = try location(held, of: node)
        return try FSError.wrap { () throws(Errno) in try directory.fd.target(of: name) }
    }

    /// fsync(2) or, for `dataOnly`, fdatasync(2). What is only in the lower is on disk already, and a
    /// volatile upper is never synced.
    package func synchronize(_ id: UInt64, dataOnly: Bool) throws(FSError) {
        guard upper?.isVolatile == false, let node = table.find(id) else { return }
        let file: OpenFile
        if node.isDirectory {
            let held = names.lock()
            defer { names.unlock() }
            let directory = try self.directory(held, node)
            file = try FSError.wrap { () throws(Errno) in
                OpenFile(try directory.fd.open(.dot, O_RDONLY | O_DIRECTORY))
            }
        } else {
            file = try open(node)
        }
        var completed: PartialFile?
        if case .partial(let data) = node.data {
            let known = try partial(node, data, file)
            if try known.isWhole() { completed = known }
        }
        // Syncing a file also syncs what its new name depends on: ext4, XFS and Btrfs commit the directories
        // that were changed before it.
        let isDataEnough = dataOnly && !node.startSync()
        do throws(Errno) {
            _ = try file.fd.use { raw throws(Errno) in
                try Errno.retrying { () -> CInt in isDataEnough ? fdatasync(raw) : fsync(raw) }
            }
        } catch {
            node.needsSync = true
            throw .system(error)
        }
        // All data was written before the sync, and blocks with data keep it.
        if let completed {
            completed.data.lock.lockAlone()
            defer { completed.data.lock.unlock() }
            try? completed.finish()
        }
    }

    /// fallocate(2). `killsPrivileges`: as in `write`.
    package func allocate(
        _ id: UInt64,
        mode: CInt,
        offset: Int64,
        length: Int64,
        killsPrivileges: Bool
    ) throws(FSError) {
        let node = try copyUp(id, data: .blocks)
        let file = try open(node)
        if killsPrivileges {
            try killPrivileges(file)
            try removeCapability(file)
        }
        if case .partial(let data) = node.data {
            if try partial(node, data, file).allocate(mode: mode, offset: offset, length: length) { return }
            _ = try copyUp(id)
        }
        let result = file.fd.use { clinux_fallocate($0, mode, offset, length) }
        guard result >= 0 else { throw .system(Errno(rawValue: -result)) }
    }

    /// lseek(2) with SEEK_DATA or SEEK_HOLE.
    package func seek(_ id: UInt64, offset: Int64, whence: CInt) throws(FSError) -> Int64 {
        if let node = table.find(id), case .partial(let data) = node.data {
            guard offset >= 0 else { throw .system(.noSuchAddressOrDevice) }
            return Int64(clamping: try partial(node, data).seek(UInt64(offset), whence))
        }
        guard let source = try source(of: id, from: UInt64(clamping: offset)) else {
            throw .system(.noSuchAddressOrDevice)
        }
        let (start, size) = (Int64(clamping: source.start), Int64(clamping: source.size))
        // A file packed with others has no holes.
        guard source.isWhole else { return whence == SEEK_DATA ? offset : size }
        let found = try FSError.wrap { () throws(Errno) in
            try source.file.fd.seekExtent(off_t(start + offset), whence)
        }
        return min(Int64(found) - start, size)
    }

    /// The open file that has a regular file's data from byte `offset` on; nil where there is none.
    private func source(of id: UInt64, from offset: UInt64) throws(FSError) -> DataSource? {
        let inode: UInt32
        var end = UInt64.max
        if let node = table.find(id) {
            switch node.data {
            case .upper: return DataSource(file: try open(node), start: 0, size: .max, isWhole: true)
            case .lost: throw .system(.ioError)
            case .damaged: throw .system(Errno(rawValue: EUCLEAN))
            case .lower(let number): inode = number
            case .partial(let data):
                let file = try partial(node, data)
                let size = try file.size()
                guard offset < size else { return nil }
                let run = try file.run(at: offset, to: size)
                guard run.isLower else {
                    return DataSource(file: file.file, start: 0, size: run.end, isWhole: true)
                }
                (inode, end) = (data.inode, run.end)
            }
        } else {
            inode = try lowerInode(id)
        }
        let record = try lower.inode(inode)
        guard record.isRegular else { throw .system(.invalidArgument) }
        guard offset < record.size else { return nil }
        let located = try lower.locate(inode)
        return DataSource(
            file: located.file,
            start: located.start,
            size: min(record.size, end),
            isWhole: located.isWhole
        )
    }

    /// copy_file_range(2) of at most `count` bytes; returns how many. `killsPrivileges`: as in `write`.
    package func copyRange(
        from source: UInt64,
        at sourceOffset: UInt64,
        to target: UInt64,
        at targetOffset: UInt64,
        count: Int,
        killsPrivileges: Bool
    ) throws(FSError) -> Int {
        let node = try copyUp(target, data: .blocks)
        let output = try open(node)
        // After the copy-up of the target, which may be the same file.
        guard let input = try self.source(of: source, from: sourceOffset) else { return 0 }
        if killsPrivileges { try killPrivileges(output) }
        var available = min(UInt64(clamping: count), input.size - sourceOffset)
        func copy() throws(FSError) -> Int {
            var from = Int64(clamping: input.start + sourceOffset)
            var to = Int64(clamping: targetOffset)
            let copied = input.file.fd.use { input in
                output.fd.use { clinux_copy_file_range(input, &from, $0, &to, available) }
            }
            guard copied >= 0 else { throw .system(Errno(rawValue: CInt(-copied))) }
            return Int(copied)
        }
        guard case .partial(let data) = node.data, available > 0 else { return try copy() }
        // Other writers wait meanwhile, so not for long.
        available = min(available, 8 << 20)
        return try partial(node, data, output).change(targetOffset..<targetOffset + available) {
            () throws(FSError) in
            try copy()
        }
    }

    /// statvfs(3) of the upper's filesystem; of the lower's where the tree is read-only.
    package func statistics() throws(FSError) -> FilesystemStatus {
        guard let upper else { return FilesystemStatus(try lower.statistics()) }
        var statistics = statvfs()
        try FSError.wrap { () throws(Errno) in
            try Errno.check(upper.root.use { fstatvfs($0, &statistics) })
        }
        return FilesystemStatus(statistics)
    }

    /// A partial file, opened. Precondition: `names` is not locked.
    func partial(_ node: Node, _ data: PartialData) throws(FSError) -> PartialFile {
        try partial(node, data, open(node))
    }

    /// The same for a file that is open already.
    func partial(_ node: Node, _ data: PartialData, _ file: OpenFile) throws(FSError) -> PartialFile {
        let partial = PartialFile(
            file: file,
            data: data,
            node: node,
            lower: lower,
            upper: try writable(),
            unsealed: unsealed
        )
        try partial.dropBlocksWithoutData()
        return partial
    }

    /// The file of an upper node, open for reading and writing.
    func open(_ node: Node) throws(FSError) -> OpenFile {
        try files.file(node.id) { () throws(FSError) in
            // Opening a FIFO or a device has effects. (A node that was discarded meanwhile has no place: its
            // location is the root, which can't be opened for writing.)
            guard node.isRegular else { throw .system(.invalidArgument) }
            let held = names.lock()
            defer { names.unlock() }
            let upper = try writable()
            let (directory, name) = try location(held, of: node)
            return try FSError.wrapOwned { () throws(Errno) in
                guard !name.isItself else { return try upper.reopen(directory) }
                guard upper.keepsAccessTimes else { return try directory.fd.open(name, O_RDWR) }
                return try directory.fd.openQuietly(name, O_RDWR)
            }
        }
    }

    /// Drops set-id bits, as ext4 does when a process without CAP_FSETID writes. The kernel itself drops a
    /// capability when the daemon writes or truncates (file_remove_privs).
    func killPrivileges(_ file: OpenFile) throws(FSError) {
        try FSError.wrap { () throws(Errno) in
            let status = try file.fd.status()
            var mode = status.st_mode & ~S_ISUID
            // Set-group-id without group execution once meant mandatory locking, so it stays.
            if mode & S_IXGRP != 0 { mode &= ~S_ISGID }
            if mode != status.st_mode { try Errno.check(file.fd.use { fchmod($0, mode & 0o7777) }) }
        }
    }

    /// Not every filesystem drops a capability at fallocate(2).
    private func removeCapability(_ file: OpenFile) throws(FSError) {
        guard file.fd.use({ fremovexattr($0, "security.capability") }) == -1,
            ![.noData, .notSupported, .notPermitted].contains(Errno.last)
        else { return }
        throw .system(.last)
    }
}

/// A file to read data from.
private struct DataSource {
    let file: OpenFile
    /// The offset of the data's first byte in `file`.
    let start: UInt64
    /// Where reading ends, in bytes from `start`: the data behind it is in another file, or there is none. An
    /// upper file that has all its data has no limit, because it may grow.
    let size: UInt64
    /// `file` has nothing but this file's data.
    let isWhole: Bool
}
