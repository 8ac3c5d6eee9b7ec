package import Linux
package import Nodes

import CFUSE
import Glibc
import SystemPackage

/// Names, and the files that they lead to.
package protocol NameOperations: Decorating {
    /// nil: there is no such name, and the kernel may cache that.
    func lookup(_ name: UnsafeRawBufferPointer, in parent: UInt64) throws(FSError) -> Attributes?
    /// Takes back references, many at a time, as the kernel sends them.
    func forget(_ references: [References])
    /// Whether room on the disk is about to come back by itself: files are being freed, or one was removed within
    /// the last `nanoseconds` and waits for its `forget`.
    func mayGainRoom(within nanoseconds: UInt64) -> Bool
    /// mknod(2), regular files included.
    func makeNode(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64,
        mode: UInt32,
        device: UInt32,
        by caller: Caller
    ) throws(FSError) -> Attributes
    /// open(2) with O_TMPFILE: a file without a name, until `link` gives it one.
    func makeTemporary(in parent: UInt64, mode: UInt32, by caller: Caller) throws(FSError) -> Attributes
    func makeDirectory(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64,
        mode: UInt32,
        by caller: Caller
    ) throws(FSError) -> Attributes
    func makeSymlink(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64,
        target: UnsafeRawBufferPointer,
        by caller: Caller
    ) throws(FSError) -> Attributes
    func link(_ node: UInt64, as name: UnsafeRawBufferPointer, in parent: UInt64) throws(FSError)
        -> Attributes
    func unlink(_ name: UnsafeRawBufferPointer, in parent: UInt64) throws(FSError)
    func removeDirectory(_ name: UnsafeRawBufferPointer, in parent: UInt64) throws(FSError)
    /// `flags`: RENAME_*.
    func rename(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64,
        to newName: UnsafeRawBufferPointer,
        in newParent: UInt64,
        flags: UInt32
    ) throws(FSError)
    /// Passes the names of a directory from position `offset`, 0 at first, until `body` returns false. Every entry
    /// accepted, except `.` and `..`, has one reference counted where `isCounting`.
    func list(
        _ node: UInt64,
        from offset: UInt64,
        isCounting: Bool,
        _ body: (ListedEntry) throws(FSError) -> Bool
    ) throws(FSError)
}

extension NameOperations {
    package func lookup(_ name: UnsafeRawBufferPointer, in parent: UInt64) throws(FSError) -> Attributes? {
        try below().lookup(name, in: parent)
    }

    package func forget(_ references: [References]) { base?.forget(references) }

    package func forget(_ node: UInt64, count: UInt64) { forget([References(node, count)]) }

    package func mayGainRoom(within nanoseconds: UInt64) -> Bool {
        base?.mayGainRoom(within: nanoseconds) ?? false
    }

    package func makeNode(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64,
        mode: UInt32,
        device: UInt32,
        by caller: Caller
    ) throws(FSError) -> Attributes {
        try below().makeNode(name, in: parent, mode: mode, device: device, by: caller)
    }

    package func makeTemporary(
        in parent: UInt64,
        mode: UInt32,
        by caller: Caller
    ) throws(FSError) -> Attributes {
        try below().makeTemporary(in: parent, mode: mode, by: caller)
    }

    package func makeDirectory(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64,
        mode: UInt32,
        by caller: Caller
    ) throws(FSError) -> Attributes {
        try below().makeDirectory(name, in: parent, mode: mode, by: caller)
    }

    package func makeSymlink(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64,
        target: UnsafeRawBufferPointer,
        by caller: Caller
    ) throws(FSError) -> Attributes {
        try below().makeSymlink(name, in: parent, target: target, by: caller)
    }

    package func link(
        _ node: UInt64,
        as name: UnsafeRawBufferPointer,
        in parent: UInt64
    ) throws(FSError) -> Attributes {
        try below().link(node, as: name, in: parent)
    }

    package func unlink(_ name: UnsafeRawBufferPointer, in parent: UInt64) throws(FSError) {
        try below().unlink(name, in: parent)
    }

    package func removeDirectory(_ name: UnsafeRawBufferPointer, in parent: UInt64) throws(FSError) {
        try below().removeDirectory(name, in: parent)
    }

    package func rename(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64,
        to newName: UnsafeRawBufferPointer,
        in newParent: UInt64,
        flags: UInt32
    ) throws(FSError) {
        try below().rename(name, in: parent, to: newName, in: newParent, flags: flags)
    }

    package func list(
        _ node: UInt64,
        from offset: UInt64,
        isCounting: Bool,
        _ body: (ListedEntry) throws(FSError) -> Bool
    ) throws(FSError) {
        try below().list(node, from: offset, isCounting: isCounting, body)
    }
}

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
            session(request)?.forget([References(node, count)])
            fuse_reply_none(request)
        }
        table.forget_multi = { request, count, list in
            if let list {
                let references = UnsafeBufferPointer(start: list, count: count)
                session(request)?.forget(references.map { References($0.ino, $0.nlookup) })
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
                // As for those below.
                fuse_reply_err(request, ENOSYS)
                return
            }
            answer(request, "tmpfile", parent) { (operations) throws(FSError) in
                let status = try operations.makeTemporary(in: parent, mode: mode, by: caller(request))
                var entry = fuse_entry_param(status)
                if fuse_reply_create(request, &entry, file) != 0 { operations.forget(status.id, count: 1) }
            }
        }
        // The kernel sends each of these once; see the type's comment.
        table.open = { request, _, _ in fuse_reply_err(request, ENOSYS) }
        table.opendir = { request, _, _ in fuse_reply_err(request, ENOSYS) }
        table.flush = { request, _, _ in fuse_reply_err(request, ENOSYS) }
    }
}

extension Session {
    fileprivate func forget(_ references: [References]) {
        if forgets?.take(references) != true { operations.forget(references) }
    }
}

private func list(_ request: fuse_req_t?, _ node: UInt64, _ size: Int, _ offset: off_t, isPlus: Bool) {
    answer(request, "readdir", node) { (operations) throws(FSError) in
        let buffer = UnsafeMutablePointer<CChar>.allocate(capacity: size)
        defer { buffer.deallocate() }
        // libfuse takes names that end in NUL.
        let name = UnsafeMutablePointer<CChar>.allocate(capacity: 256)
        defer { name.deallocate() }
        var used = 0
        func add(_ listed: ListedEntry) throws(FSError) -> Bool {
            guard listed.name.count <= 255, let start = listed.name.baseAddress else {
                throw .system(.ioError)
            }
            memcpy(name, start, listed.name.count)
            name[listed.name.count] = 0
            let needed: Int
            if isPlus {
                var entry = fuse_entry_param(listed.attributes)
                needed = fuse_add_direntry_plus(
                    request,
                    buffer + used,
                    size - used,
                    name,
                    &entry,
                    off_t(listed.next)
                )
            } else {
                var attributes = stat(listed.attributes)
                needed = fuse_add_direntry(
                    request,
                    buffer + used,
                    size - used,
                    name,
                    &attributes,
                    off_t(listed.next)
                )
            }
            guard needed <= size - used else { return false }
            used += needed
            return true
        }
        do throws(FSError) {
            try operations.list(node, from: UInt64(bitPattern: Int64(offset)), isCounting: isPlus, add)
        } catch {
            // The entries in the buffer have their references counted: the kernel gets them now, and the error with
            // its next request.
            guard used > 0 else { throw error }
        }
        fuse_reply_buf(request, buffer, used)
    }
}
