import CFUSE
import Glibc
import Linux
import SystemPackage

extension Session {
    static func addAttributes(_ table: inout fuse_lowlevel_ops) {
        table.getattr = { request, node, _ in
            answer(request, "getattr", node) { (operations) throws(FSError) in
                // First: it may say that nobody need ask.
                let isExtended = cfuse_getattr_is_statx() != 0
                let birth = isExtended ? try operations.birth(of: node) : nil
                let status = try operations.status(of: node)
                guard isExtended else { return replyAttributes(request, status) }
                var attributes = stat(status)
                cfuse_reply_statx(
                    request,
                    &attributes,
                    Session.forever,
                    birth == nil ? 0 : 1,
                    birth?.seconds ?? 0,
                    birth?.nanoseconds ?? 0
                )
            }
        }
        table.setattr = { request, node, new, valid, _ in
            answer(request, "setattr", node) { (operations) throws(FSError) in
                guard let new else { throw .system(.invalidArgument) }
                replyAttributes(request, try operations.change(node, StatusChange(new.pointee, valid: valid)))
            }
        }
        table.readlink = { request, node in
            answer(request, "readlink", node) { (operations) throws(FSError) in
                let target = try operations.target(of: node) + [0]
                target.withUnsafeBytes { bytes in
                    if let start = bytes.assumingMemoryBound(to: CChar.self).baseAddress {
                        fuse_reply_readlink(request, start)
                    }
                }
            }
        }
        table.getxattr = { request, node, name, size in
            answer(request, "getxattr", node) { (operations) throws(FSError) in
                guard let value = try operations.xattr(attribute(name), of: node) else {
                    throw .system(.noData)
                }
                try reply(request, value, size)
            }
        }
        table.listxattr = { request, node, size in
            answer(request, "listxattr", node) { (operations) throws(FSError) in
                var names = try operations.xattrs(of: node)
                // As fs/ext4/xattr_trusted.c lists them.
                if !isPrivileged(request) { names.removeAll { $0.hasPrefix("trusted.") } }
                try reply(request, names.flatMap { $0.bytes + [0] }, size)
            }
        }
        table.setxattr = { request, node, name, value, size, flags in
            acknowledge(request, "setxattr", node) { (operations) throws(FSError) in
                try operations.setXattr(
                    attribute(name),
                    of: node,
                    to: UnsafeRawBufferPointer(start: value, count: size),
                    flags: flags,
                    clearsSetGroupID: cfuse_setxattr_kills_setgid() != 0
                )
            }
        }
        table.removexattr = { request, node, name in
            acknowledge(request, "removexattr", node) { (operations) throws(FSError) in
                try operations.removeXattr(attribute(name), of: node)
            }
        }
        table.statfs = { request, node in
            answer(request, "statfs", node) { (operations) throws(FSError) in
                if let session = session(request) { Patience.waitForRoom(session) }
                let status = try operations.statistics()
                var reply = statvfs()
                reply.f_bsize = UInt(status.blockSize)
                reply.f_frsize = UInt(status.blockSize)
                reply.f_blocks = UInt(status.blocks)
                reply.f_bfree = UInt(status.freeBlocks)
                reply.f_bavail = UInt(status.availableBlocks)
                reply.f_files = UInt(status.files)
                reply.f_ffree = UInt(status.freeFiles)
                reply.f_namemax = UInt(status.nameLength)
                fuse_reply_statfs(request, &reply)
            }
        }
    }
}

private func replyAttributes(_ request: fuse_req_t?, _ status: NodeStatus) {
    var attributes = stat(status)
    fuse_reply_attr(request, &attributes, Session.forever)
}
