package import Linux

import CFUSE
import Glibc
import Nodes
import SystemPackage

/// The data of regular files.
package protocol DataOperations: Decorating {
    /// Reads into `buffer` from `offset` on and returns how many bytes; fewer than it holds only at the end of the
    /// file.
    func read(
        _ node: UInt64,
        into buffer: UnsafeMutableRawBufferPointer,
        at offset: UInt64
    ) throws(FSError) -> Int
    func write(
        _ node: UInt64,
        _ bytes: UnsafeRawBufferPointer,
        at offset: UInt64,
        killsPrivileges: Bool
    ) throws(FSError) -> Int
    /// Writes data from the write-back cache. The kernel sets the times by `change`, and until then they stay.
    func writeBack(_ node: UInt64, _ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(FSError) -> Int
    func synchronize(_ node: UInt64, dataOnly: Bool) throws(FSError)
    /// fallocate(2).
    func allocate(
        _ node: UInt64,
        mode: Int32,
        offset: Int64,
        length: Int64,
        killsPrivileges: Bool
    ) throws(FSError)
    /// `whence`: SEEK_DATA or SEEK_HOLE.
    func seek(_ node: UInt64, offset: Int64, whence: Int32) throws(FSError) -> Int64
    func copyRange(
        from source: UInt64,
        at sourceOffset: UInt64,
        to target: UInt64,
        at targetOffset: UInt64,
        count: Int,
        killsPrivileges: Bool
    ) throws(FSError) -> Int
}

extension DataOperations {
    package func read(
        _ node: UInt64,
        into buffer: UnsafeMutableRawBufferPointer,
        at offset: UInt64
    ) throws(FSError) -> Int {
        try below().read(node, into: buffer, at: offset)
    }

    package func write(
        _ node: UInt64,
        _ bytes: UnsafeRawBufferPointer,
        at offset: UInt64,
        killsPrivileges: Bool
    ) throws(FSError) -> Int {
        try below().write(node, bytes, at: offset, killsPrivileges: killsPrivileges)
    }

    package func writeBack(
        _ node: UInt64,
        _ bytes: UnsafeRawBufferPointer,
        at offset: UInt64
    ) throws(FSError) -> Int {
        try below().writeBack(node, bytes, at: offset)
    }

    package func synchronize(_ node: UInt64, dataOnly: Bool) throws(FSError) {
        try below().synchronize(node, dataOnly: dataOnly)
    }

    package func allocate(
        _ node: UInt64,
        mode: Int32,
        offset: Int64,
        length: Int64,
        killsPrivileges: Bool
    ) throws(FSError) {
        try below().allocate(
            node,
            mode: mode,
            offset: offset,
            length: length,
            killsPrivileges: killsPrivileges
        )
    }

    package func seek(_ node: UInt64, offset: Int64, whence: Int32) throws(FSError) -> Int64 {
        try below().seek(node, offset: offset, whence: whence)
    }

    package func copyRange(
        from source: UInt64,
        at sourceOffset: UInt64,
        to target: UInt64,
        at targetOffset: UInt64,
        count: Int,
        killsPrivileges: Bool
    ) throws(FSError) -> Int {
        try below().copyRange(
            from: source,
            at: sourceOffset,
            to: target,
            at: targetOffset,
            count: count,
            killsPrivileges: killsPrivileges
        )
    }
}

extension Session {
    static func addData(_ table: inout fuse_lowlevel_ops) {
        table.read = { request, node, size, offset, _ in
            answer(request, "read", node) { (operations) throws(FSError) in
                // The kernel asks for 256 pages at most.
                let room = min(size, Int(CFUSE_DATA_SIZE))
                let buffer = UnsafeMutableRawBufferPointer(start: cfuse_data_buffer(), count: room)
                let count = try operations.read(node, into: buffer, at: UInt64(bitPattern: Int64(offset)))
                fuse_reply_buf(request, buffer.assumingMemoryBound(to: CChar.self).baseAddress, count)
            }
        }
        table.write = { request, node, bytes, size, offset, _ in
            answer(request, "write", node) { (operations) throws(FSError) in
                let killsPrivileges = cfuse_write_kills_privileges() != 0
                let hasPrivileges = killsPrivileges ? try hasSetID(operations, node) : false
                let bytes = UnsafeRawBufferPointer(start: bytes, count: size)
                let count = try write(request, node, bytes, at: offset, killsPrivileges, operations)
                if hasPrivileges { noteKilledPrivileges(request, node) }
                fuse_reply_write(request, count)
            }
        }
        table.fsync = { request, node, dataOnly, _ in
            acknowledge(request, "fsync", node) { (operations) throws(FSError) in
                try operations.synchronize(node, dataOnly: dataOnly != 0)
            }
        }
        table.fsyncdir = { request, node, dataOnly, _ in
            acknowledge(request, "fsyncdir", node) { (operations) throws(FSError) in
                try operations.synchronize(node, dataOnly: dataOnly != 0)
            }
        }
        table.fallocate = { request, node, mode, offset, length, _ in
            acknowledge(request, "fallocate", node) { (operations) throws(FSError) in
                let killsPrivileges = try mayKillPrivileges(request, operations, node)
                try operations.allocate(
                    node,
                    mode: mode,
                    offset: Int64(offset),
                    length: Int64(length),
                    killsPrivileges: !isPrivileged(request)
                )
                if killsPrivileges { noteKilledPrivileges(request, node) }
            }
        }
        table.lseek = { request, node, offset, whence, _ in
            answer(request, "lseek", node) { (operations) throws(FSError) in
                fuse_reply_lseek(
                    request,
                    off_t(try operations.seek(node, offset: Int64(offset), whence: whence))
                )
            }
        }
        table.copy_file_range = { request, source, sourceOffset, _, target, targetOffset, _, count, _ in
            answer(request, "copy_file_range", target) { (operations) throws(FSError) in
                let killsPrivileges = try mayKillPrivileges(request, operations, target)
                let copied = try operations.copyRange(
                    from: source,
                    at: UInt64(bitPattern: Int64(sourceOffset)),
                    to: target,
                    at: UInt64(bitPattern: Int64(targetOffset)),
                    count: count,
                    // The kernel leaves it to the daemon and does not say what the caller may do: root may keep
                    // them.
                    killsPrivileges: !isPrivileged(request)
                )
                if killsPrivileges { noteKilledPrivileges(request, target) }
                fuse_reply_write(request, copied)
            }
        }
    }
}

/// Writes as much as fits, also into room that is about to come back. Of what comes from the page cache (mapped memory,
/// too) all or an error: the kernel does not look at how much of that was written (fuse_writepage_end in
/// fs/fuse/file.c), and the rest would be lost without a word.
private func write(
    _ request: fuse_req_t?,
    _ node: UInt64,
    _ bytes: UnsafeRawBufferPointer,
    at offset: off_t,
    _ killsPrivileges: Bool,
    _ operations: any Operations
) throws(FSError) -> Int {
    let session = session(request)
    let isCached = cfuse_write_is_cached() != 0
    let isLate = session?.writesBack == true && isCached
    func write(from done: Int) throws(FSError) -> Int {
        let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
        let offset = UInt64(bitPattern: Int64(offset)) + UInt64(done)
        guard isLate else {
            return try operations.write(node, rest, at: offset, killsPrivileges: killsPrivileges)
        }
        return try operations.writeBack(node, rest, at: offset)
    }
    var done = try write(from: 0)
    guard done < bytes.count, let session else { return done }
    var retry = RoomRetry(session)
    while done < bytes.count {
        do throws(FSError) {
            let count = try write(from: done)
            guard count > 0 else { throw .system(.ioError) }
            done += count
        } catch {
            guard !retry.isWorthwhile(after: error) else { continue }
            guard !isCached else { throw error }
            return done
        }
    }
    return done
}
