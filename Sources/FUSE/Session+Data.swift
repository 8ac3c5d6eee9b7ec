import CFUSE
import Glibc
import Linux
import SystemPackage

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
                    // The kernel leaves it to us and does not say what the caller may: root may keep them.
                    killsPrivileges: !isPrivileged(request)
                )
                if killsPrivileges { noteKilledPrivileges(request, target) }
                fuse_reply_write(request, copied)
            }
        }
    }
}

/// As much as fits, with the room that is about to come back.
private func write(
    _ request: fuse_req_t?,
    _ node: UInt64,
    _ bytes: UnsafeRawBufferPointer,
    at offset: off_t,
    _ killsPrivileges: Bool,
    _ operations: any Operations
) throws(FSError) -> Int {
    let session = session(request)
    let isLate = session?.writesBack == true && cfuse_write_is_cached() != 0
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
    var patience = Patience(session)
    while done < bytes.count {
        do throws(FSError) {
            let count = try write(from: done)
            guard count > 0 else { return done }
            done += count
        } catch {
            guard patience.isWorthwhile(after: error) else { return done }
        }
    }
    return done
}
