package import FUSE
package import Linux
package import Union

import Glibc
import SystemPackage

/// The union, as the kernel asks for it: one request, one call.
package final class MountedTree: Operations {
    let union: UnionTree

    package init(_ union: UnionTree) { self.union = union }

    package func lookup(_ name: UnsafeRawBufferPointer, in parent: UInt64) throws(FSError) -> NodeStatus? {
        try union.lookup(name, in: parent).map(NodeStatus.init)
    }

    package func forget(_ references: [References]) {
        union.forget(references.map { (node: $0.node, count: $0.count) })
    }

    package func mayGainRoom(within nanoseconds: UInt64) -> Bool {
        union.mayGainRoom(within: nanoseconds)
    }

    package func status(of node: UInt64) throws(FSError) -> NodeStatus {
        NodeStatus(try union.attributes(of: node))
    }

    package func birth(of node: UInt64) throws(FSError) -> (seconds: Int64, nanoseconds: UInt32)? {
        guard union.knowsBirths else { throw .system(.noFunction) }
        return try union.birth(of: node).map { ($0.seconds, $0.nanoseconds) }
    }

    package func change(_ node: UInt64, _ change: StatusChange) throws(FSError) -> NodeStatus {
        NodeStatus(try union.change(node, AttributeChange(change)))
    }

    package func target(of node: UInt64) throws(FSError) -> [UInt8] { try union.target(of: node) }

    package func makeNode(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64,
        mode: UInt32,
        device: UInt32,
        by caller: Caller
    ) throws(FSError) -> NodeStatus {
        NodeStatus(try union.makeNode(name, in: parent, mode: mode, device: device, by: Creator(caller)))
    }

    package func makeDirectory(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64,
        mode: UInt32,
        by caller: Caller
    ) throws(FSError) -> NodeStatus {
        NodeStatus(try union.makeDirectory(name, in: parent, mode: mode, by: Creator(caller)))
    }

    package func makeSymlink(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64,
        target: UnsafeRawBufferPointer,
        by caller: Caller
    ) throws(FSError) -> NodeStatus {
        NodeStatus(try union.makeSymlink(name, in: parent, target: target, by: Creator(caller)))
    }

    package func makeTemporary(
        in parent: UInt64,
        mode: UInt32,
        by caller: Caller
    ) throws(FSError) -> NodeStatus {
        NodeStatus(try union.makeTemporary(in: parent, mode: mode, by: Creator(caller)))
    }

    package func link(
        _ node: UInt64,
        as name: UnsafeRawBufferPointer,
        in parent: UInt64
    ) throws(FSError) -> NodeStatus {
        NodeStatus(try union.link(node, as: name, in: parent))
    }

    package func unlink(_ name: UnsafeRawBufferPointer, in parent: UInt64) throws(FSError) {
        try union.unlink(name, in: parent)
    }

    package func removeDirectory(_ name: UnsafeRawBufferPointer, in parent: UInt64) throws(FSError) {
        try union.removeDirectory(name, in: parent)
    }

    package func rename(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64,
        to newName: UnsafeRawBufferPointer,
        in newParent: UInt64,
        flags: UInt32
    ) throws(FSError) {
        try union.rename(name, in: parent, to: newName, in: newParent, flags: flags)
    }

    package func list(
        _ node: UInt64,
        from offset: UInt64,
        isCounting: Bool,
        _ body: (UnsafeRawBufferPointer, NodeStatus, UInt64) throws(FSError) -> Bool
    ) throws(FSError) {
        try union.list(node, from: offset, isCounting: isCounting) { (entry) throws(FSError) in
            try body(entry.name, NodeStatus(entry.attributes), entry.next)
        }
    }

    package func read(
        _ node: UInt64,
        into buffer: UnsafeMutableRawBufferPointer,
        at offset: UInt64
    ) throws(FSError) -> Int {
        try union.read(node, into: buffer, at: offset)
    }

    package func write(
        _ node: UInt64,
        _ bytes: UnsafeRawBufferPointer,
        at offset: UInt64,
        killsPrivileges: Bool
    ) throws(FSError) -> Int {
        try union.write(node, bytes, at: offset, killsPrivileges: killsPrivileges)
    }

    package func writeBack(
        _ node: UInt64,
        _ bytes: UnsafeRawBufferPointer,
        at offset: UInt64
    ) throws(FSError) -> Int {
        try union.writeBack(node, bytes, at: offset)
    }

    package func synchronize(_ node: UInt64, dataOnly: Bool) throws(FSError) {
        try union.synchronize(node, dataOnly: dataOnly)
    }

    package func allocate(
        _ node: UInt64,
        mode: Int32,
        offset: Int64,
        length: Int64,
        killsPrivileges: Bool
    ) throws(FSError) {
        try union.allocate(
            node,
            mode: mode,
            offset: offset,
            length: length,
            killsPrivileges: killsPrivileges
        )
    }

    package func seek(_ node: UInt64, offset: Int64, whence: Int32) throws(FSError) -> Int64 {
        try union.seek(node, offset: offset, whence: whence)
    }

    package func copyRange(
        from source: UInt64,
        at sourceOffset: UInt64,
        to target: UInt64,
        at targetOffset: UInt64,
        count: Int,
        killsPrivileges: Bool
    ) throws(FSError) -> Int {
        try union.copyRange(
            from: source,
            at: sourceOffset,
            to: target,
            at: targetOffset,
            count: count,
            killsPrivileges: killsPrivileges
        )
    }

    package func xattr(_ name: XattrName, of node: UInt64) throws(FSError) -> [UInt8]? {
        try union.xattr(name, of: node)
    }

    package func xattrs(of node: UInt64) throws(FSError) -> [XattrName] { try union.xattrs(of: node) }

    package func setXattr(
        _ name: XattrName,
        of node: UInt64,
        to value: UnsafeRawBufferPointer,
        flags: Int32,
        clearsSetGroupID: Bool
    ) throws(FSError) {
        try union.setXattr(name, of: node, to: value, flags: flags, clearsSetGroupID: clearsSetGroupID)
    }

    package func removeXattr(_ name: XattrName, of node: UInt64) throws(FSError) {
        try union.removeXattr(name, of: node)
    }

    package func flags(of node: UInt64) throws(FSError) -> UInt32 { try union.flags(of: node) }

    package func extendedFlags(of node: UInt64) throws(FSError) -> [UInt8] {
        try union.extendedFlags(of: node)
    }

    package func setFlags(of node: UInt64, to flags: UInt32) throws(FSError) {
        try union.setFlags(of: node, to: flags)
    }

    package func statistics() throws(FSError) -> FilesystemStatus {
        let statistics = try union.statistics()
        var status = FilesystemStatus()
        status.blockSize = UInt64(statistics.f_frsize)
        status.blocks = UInt64(statistics.f_blocks)
        status.freeBlocks = UInt64(statistics.f_bfree)
        status.availableBlocks = UInt64(statistics.f_bavail)
        status.files = UInt64(statistics.f_files)
        status.freeFiles = UInt64(statistics.f_ffree)
        return status
    }
}
