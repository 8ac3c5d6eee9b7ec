package import Linux
package import Nodes

import CFUSE
import Glibc
import SystemPackage

/// Attributes of nodes, as stat(2) and getxattr(2) show them, and changes of them.
package protocol AttributeOperations: Decorating {
    func attributes(of node: UInt64) throws(FSError) -> Attributes
    /// When a node was created; nil where that is unknown. ENOSYS: it is unknown for all nodes, and the kernel need
    /// not ask again.
    func birth(of node: UInt64) throws(FSError) -> Attributes.Time?
    func change(_ node: UInt64, _ change: AttributeChange) throws(FSError) -> Attributes
    /// The target of a symbolic link.
    func target(of node: UInt64) throws(FSError) -> [UInt8]
    /// nil where there is no such attribute.
    func xattr(_ name: XattrName, of node: UInt64) throws(FSError) -> [UInt8]?
    func xattrs(of node: UInt64) throws(FSError) -> [XattrName]
    /// `clearsSetGroupID`: a caller who is not in the file's group sets an ACL.
    func setXattr(
        _ name: XattrName,
        of node: UInt64,
        to value: UnsafeRawBufferPointer,
        flags: Int32,
        clearsSetGroupID: Bool
    ) throws(FSError)
    /// ENODATA where there is no such attribute.
    func removeXattr(_ name: XattrName, of node: UInt64) throws(FSError)
    func statistics() throws(FSError) -> FilesystemStatus
}

extension AttributeOperations {
    package func attributes(of node: UInt64) throws(FSError) -> Attributes {
        try below().attributes(of: node)
    }

    package func birth(of node: UInt64) throws(FSError) -> Attributes.Time? { try below().birth(of: node) }

    package func change(_ node: UInt64, _ change: AttributeChange) throws(FSError) -> Attributes {
        try below().change(node, change)
    }

    package func target(of node: UInt64) throws(FSError) -> [UInt8] { try below().target(of: node) }

    package func xattr(_ name: XattrName, of node: UInt64) throws(FSError) -> [UInt8]? {
        try below().xattr(name, of: node)
    }

    package func xattrs(of node: UInt64) throws(FSError) -> [XattrName] { try below().xattrs(of: node) }

    package func setXattr(
        _ name: XattrName,
        of node: UInt64,
        to value: UnsafeRawBufferPointer,
        flags: Int32,
        clearsSetGroupID: Bool
    ) throws(FSError) {
        try below().setXattr(name, of: node, to: value, flags: flags, clearsSetGroupID: clearsSetGroupID)
    }

    package func removeXattr(_ name: XattrName, of node: UInt64) throws(FSError) {
        try below().removeXattr(name, of: node)
    }

    package func statistics() throws(FSError) -> FilesystemStatus { try below().statistics() }
}

extension Session {
    static func addAttributes(_ table: inout fuse_lowlevel_ops) {
        table.getattr = { request, node, _ in
            answer(request, "getattr", node) { (operations) throws(FSError) in
                // First, because it may say that the kernel need not ask again.
                let isExtended = cfuse_getattr_is_statx() != 0
                let birth = isExtended ? try operations.birth(of: node) : nil
                let status = try operations.attributes(of: node)
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
                replyAttributes(
                    request,
                    try operations.change(node, AttributeChange(new.pointee, valid: valid))
                )
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
                // As fs/ext4/xattr_trusted.c lists them: not to callers without privileges.
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
                if let session = session(request) { RoomRetry.waitForRoom(session) }
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

private func replyAttributes(_ request: fuse_req_t?, _ status: Attributes) {
    var attributes = stat(status)
    fuse_reply_attr(request, &attributes, Session.forever)
}
