package import Linux

import CFUSE
import Glibc
import Nodes
import SystemPackage

/// Opens and closes, which are requests in passthrough mode only.
package protocol OpenOperations: Decorating {
    /// open(2) of a regular file, with O_TRUNC if it must be truncated. `release` undoes each successful call.
    func open(_ node: UInt64, _ request: OpenRequest) throws(FSError) -> OpenReply
    func release(_ node: UInt64)
}

extension OpenOperations {
    package func open(_ node: UInt64, _ request: OpenRequest) throws(FSError) -> OpenReply {
        try below().open(node, request)
    }

    package func release(_ node: UInt64) { base?.release(node) }
}

/// In passthrough mode every open and close is a request, and reads and writes are not.
extension Session {
    static func addOpens(_ table: inout fuse_lowlevel_ops) {
        table.open = { request, node, file in
            answer(request, "open", node) { (operations) throws(FSError) in
                let wanted = OpenRequest(request, file)
                if wanted.isWriting { try waitForNeededRoom(request) }
                let reply = try operations.open(node, wanted)
                if cfuse_reply_open(request, reply.flags, reply.backing) != 0 {
                    operations.release(node)
                }
            }
        }
        table.create = { request, parent, name, mode, file in
            answer(request, "create", parent) { (operations) throws(FSError) in
                let caller = caller(request)
                try waitForNeededRoom(request)
                let status =
                    cfuse_create_is_temporary() != 0
                    ? try operations.makeTemporary(in: parent, mode: mode, by: caller)
                    : try operations.makeNode(
                        bytes(name),
                        in: parent,
                        mode: mode | S_IFREG,
                        device: 0,
                        by: caller
                    )
                do throws(FSError) {
                    // A new file needs no truncation, and ext4 would take it for a replaced file, whose data it
                    // writes when it is closed.
                    let reply = try operations.open(status.id, OpenRequest(request, file, isNew: true))
                    var entry = fuse_entry_param(status)
                    if cfuse_reply_create(request, &entry, reply.flags, reply.backing) != 0 {
                        operations.release(status.id)
                        operations.forget(status.id, count: 1)
                    }
                } catch {
                    operations.forget(status.id, count: 1)
                    throw error
                }
            }
        }
        table.release = { request, node, _ in
            session(request)?.operations.release(node)
            fuse_reply_err(request, 0)
        }
        // FOPEN_NOFLUSH prevents most of them.
        table.flush = { request, _, _ in fuse_reply_err(request, 0) }
    }
}

/// The daemon does not see the writes, and so can't try them again.
private func waitForNeededRoom(_ request: fuse_req_t?) throws(FSError) {
    if let session = session(request) { try RoomRetry.waitForNeededRoom(session) }
}

extension OpenRequest {
    fileprivate init(
        _ request: fuse_req_t?,
        _ file: UnsafeMutablePointer<fuse_file_info>?,
        isNew: Bool = false
    ) {
        self.init(
            flags: (file?.pointee.flags ?? O_RDONLY) & ~(isNew ? O_TRUNC : 0),
            uid: fuse_req_ctx(request)?.pointee.uid ?? 0,
            killsPrivileges: cfuse_open_kills_privileges() != 0
        )
    }
}

extension OpenReply {
    /// FOPEN_*.
    fileprivate var flags: UInt32 {
        switch self {
        case .cached(let keepsCache):
            CFUSE_FOPEN_NOFLUSH.rawValue | (keepsCache ? CFUSE_FOPEN_KEEP_CACHE.rawValue : 0)
        case .passthrough: CFUSE_FOPEN_NOFLUSH.rawValue | CFUSE_FOPEN_PASSTHROUGH.rawValue
        }
    }

    fileprivate var backing: Int32 {
        if case .passthrough(let number) = self { number } else { 0 }
    }
}
