import CFUSE
import Glibc
import Linux
import SystemPackage

extension Session {
    static func addNames(_ table: inout fuse_lowlevel_ops) {
        table.lookup = { request, parent, name in
            answer(request, "lookup", parent) { (operations) throws(FSError) in
                guard let status = try operations.lookup(bytes(name), in: parent) else {
                    var absent = fuse_entry_param()
                    absent.entry_timeout = Session.forever
                    fuse_reply_entry(request, &absent)
                    return
                }
                replyEntry(request, status, operations)
            }
        }
        table.forget = { request, node, count in
            session(request)?.operations.forget(node, count: count)
            fuse_reply_none(request)
        }
        table.forget_multi = { request, count, list in
            if let operations = session(request)?.operations, let list {
                operations.forget(
                    UnsafeBufferPointer(start: list, count: count).map { References($0.ino, $0.nlookup) }
                )
            }
            fuse_reply_none(request)
        }
        table.mknod = { request, parent, name, mode, device in
            answer(request, "mknod", parent) { (operations) throws(FSError) in
                // libfuse passes the kernel's 32-bit encoding through.
                let status = try operations.makeNode(
                    bytes(name),
                    in: parent,
                    mode: mode,
                    device: UInt32(truncatingIfNeeded: device),
                    by: caller(request)
                )
                replyEntry(request, status, operations)
            }
        }
        table.mkdir = { request, parent, name, mode in
            answer(request, "mkdir", parent) { (operations) throws(FSError) in
                let status = try operations.makeDirectory(
                    bytes(name),
                    in: parent,
                    mode: mode,
                    by: caller(request)
                )
                replyEntry(request, status, operations)
            }
        }
        table.symlink = { request, target, parent, name in
            answer(request, "symlink", parent) { (operations) throws(FSError) in
                let status = try operations.makeSymlink(
                    bytes(name),
                    in: parent,
                    target: bytes(target),
                    by: caller(request)
                )
                replyEntry(request, status, operations)
            }
        }
        table.link = { request, node, parent, name in
            answer(request, "link", node) { (operations) throws(FSError) in
                let status = try operations.link(node, as: bytes(name), in: parent)
                replyEntry(request, status, operations)
            }
        }
        table.unlink = { request, parent, name in
            acknowledge(request, "unlink", parent) { (operations) throws(FSError) in
                try operations.unlink(bytes(name), in: parent)
            }
        }
        table.rmdir = { request, parent, name in
            acknowledge(request, "rmdir", parent) { (operations) throws(FSError) in
                try operations.removeDirectory(bytes(name), in: parent)
            }
        }
        table.rename = { request, parent, name, newParent, newName, flags in
            acknowledge(request, "rename", parent) { (operations) throws(FSError) in
                try operations.rename(
                    bytes(name),
                    in: parent,
                    to: bytes(newName),
                    in: newParent,
                    flags: flags
                )
            }
        }
        table.readdirplus = { request, node, size, offset, _ in
            list(request, node, size, offset, isPlus: true)
        }
        table.readdir = { request, node, size, offset, _ in
            list(request, node, size, offset, isPlus: false)
        }
        table.create = { request, parent, _, mode, file in
            guard cfuse_create_is_temporary() != 0 else {
                // As the ones below.
                fuse_reply_err(request, ENOSYS)
                return
            }
            answer(request, "tmpfile", parent) { (operations) throws(FSError) in
                let status = try operations.makeTemporary(in: parent, mode: mode, by: caller(request))
                var entry = fuse_entry_param(status)
                if fuse_reply_create(request, &entry, file) != 0 { operations.forget(status.node, count: 1) }
            }
        }
        // Once and never again; see the type's comment.
        table.open = { request, _, _ in fuse_reply_err(request, ENOSYS) }
        table.opendir = { request, _, _ in fuse_reply_err(request, ENOSYS) }
        table.flush = { request, _, _ in fuse_reply_err(request, ENOSYS) }
    }
}

private func list(_ request: fuse_req_t?, _ node: UInt64, _ size: Int, _ offset: off_t, isPlus: Bool) {
    answer(request, "readdir", node) { (operations) throws(FSError) in
        let buffer = UnsafeMutablePointer<CChar>.allocate(capacity: size)
        defer { buffer.deallocate() }
        // libfuse wants names ended by NUL.
        let name = UnsafeMutablePointer<CChar>.allocate(capacity: 256)
        defer { name.deallocate() }
        var used = 0
        func add(_ bytes: UnsafeRawBufferPointer, _ status: NodeStatus, _ next: UInt64) throws(FSError)
            -> Bool
        {
            guard bytes.count <= 255, let start = bytes.baseAddress else { throw .system(.ioError) }
            memcpy(name, start, bytes.count)
            name[bytes.count] = 0
            let needed: Int
            if isPlus {
                var entry = fuse_entry_param(status)
                needed = fuse_add_direntry_plus(
                    request,
                    buffer + used,
                    size - used,
                    name,
                    &entry,
                    off_t(next)
                )
            } else {
                var attributes = stat(status)
                needed = fuse_add_direntry(
                    request,
                    buffer + used,
                    size - used,
                    name,
                    &attributes,
                    off_t(next)
                )
            }
            guard needed <= size - used else { return false }
            used += needed
            return true
        }
        do throws(FSError) {
            try operations.list(node, from: UInt64(bitPattern: Int64(offset)), isCounting: isPlus, add)
        } catch {
            // References to what is in the buffer are counted: the kernel gets it, and the error with the next request.
            guard used > 0 else { throw error }
        }
        fuse_reply_buf(request, buffer, used)
    }
}
