package import FUSE
package import Linux

/// A tree that is another one. What a subclass changes of it, it overrides; a request that carries or shows
/// an owner, a mode or an attribute has to be looked at in each of them.
package class ForwardingTree: Operations, @unchecked Sendable {
    // Safe to share: nothing in it or its subclasses changes.
    let base: any Operations

    package init(_ base: any Operations) { self.base = base }

    package func lookup(_ name: UnsafeRawBufferPointer, in parent: UInt64) throws(FSError) -> NodeStatus? {
        try base.lookup(name, in: parent)
    }

    package func forget(_ references: [References]) { base.forget(references) }

    package func mayGainRoom(within nanoseconds: UInt64) -> Bool {
        base.mayGainRoom(within: nanoseconds)
    }

    package func status(of node: UInt64) throws(FSError) -> NodeStatus { try base.status(of: node) }

    package func birth(of node: UInt64) throws(FSError) -> (seconds: Int64, nanoseconds: UInt32)? {
        try base.birth(of: node)
    }

    package func change(_ node: UInt64, _ change: StatusChange) throws(FSError) -> NodeStatus {
        try base.change(node, change)
    }

    package func target(of node: UInt64) throws(FSError) -> [UInt8] { try base.target(of: node) }

    package func makeNode(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64,
        mode: UInt32,
        device: UInt32,
        by caller: Caller
    ) throws(FSError) -> NodeStatus {
        try base.makeNode(name, in: parent, mode: mode, device: device, by: caller)
    }

    package func makeTemporary(
        in parent: UInt64,
        mode: UInt32,
        by caller: Caller
    ) throws(FSError) -> NodeStatus {
        try base.makeTemporary(in: parent, mode: mode, by: caller)
    }

    package func makeDirectory(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64,
        mode: UInt32,
        by caller: Caller
    ) throws(FSError) -> NodeStatus {
        try base.makeDirectory(name, in: parent, mode: mode, by: caller)
    }

    package func makeSymlink(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64,
        target: UnsafeRawBufferPointer,
        by caller: Caller
    ) throws(FSError) -> NodeStatus {
        try base.makeSymlink(name, in: parent, target: target, by: caller)
    }

    package func link(
        _ node: UInt64,
        as name: UnsafeRawBufferPointer,
        in parent: UInt64
    ) throws(FSError) -> NodeStatus {
        try base.link(node, as: name, in: parent)
    }

    package func unlink(_ name: UnsafeRawBufferPointer, in parent: UInt64) throws(FSError) {
        try base.unlink(name, in: parent)
    }

    package func removeDirectory(_ name: UnsafeRawBufferPointer, in parent: UInt64) throws(FSError) {
        try base.removeDirectory(name, in: parent)
    }

    package func rename(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64,
        to newName: UnsafeRawBufferPointer,
        in newParent: UInt64,
        flags: UInt32
    ) throws(FSError) {
        try base.rename(name, in: parent, to: newName, in: newParent, flags: flags)
    }

    package func list(
        _ node: UInt64,
        from offset: UInt64,
        isCounting: Bool,
        _ body: (UnsafeRawBufferPointer, NodeStatus, UInt64) throws(FSError) -> Bool
    ) throws(FSError) {
        try base.list(node, from: offset, isCounting: isCounting, body)
    }

    package func read(
        _ node: UInt64,
        into buffer: UnsafeMutableRawBufferPointer,
        at offset: UInt64
    ) throws(FSError) -> Int {
        try base.read(node, into: buffer, at: offset)
    }

    package func write(
        _ node: UInt64,
        _ bytes: UnsafeRawBufferPointer,
        at offset: UInt64,
        killsPrivileges: Bool
    ) throws(FSError) -> Int {
        try base.write(node, bytes, at: offset, killsPrivileges: killsPrivileges)
    }

    package func writeBack(
        _ node: UInt64,
        _ bytes: UnsafeRawBufferPointer,
        at offset: UInt64
    ) throws(FSError) -> Int {
        try base.writeBack(node, bytes, at: offset)
    }

    package func synchronize(_ node: UInt64, dataOnly: Bool) throws(FSError) {
        try base.synchronize(node, dataOnly: dataOnly)
    }

    package func allocate(
        _ node: UInt64,
        mode: Int32,
        offset: Int64,
        length: Int64,
        killsPrivileges: Bool
    ) throws(FSError) {
        try base.allocate(
            node,
            mode: mode,
            offset: offset,
            length: length,
            killsPrivileges: killsPrivileges
        )
    }

    package func seek(_ node: UInt64, offset: Int64, whence: Int32) throws(FSError) -> Int64 {
        try base.seek(node, offset: offset, whence: whence)
    }

    package func copyRange(
        from source: UInt64,
        at sourceOffset: UInt64,
        to target: UInt64,
        at targetOffset: UInt64,
        count: Int,
        killsPrivileges: Bool
    ) throws(FSError) -> Int {
        try base.copyRange(
            from: source,
            at: sourceOffset,
            to: target,
            at: targetOffset,
            count: count,
            killsPrivileges: killsPrivileges
        )
    }

    package func xattr(_ name: XattrName, of node: UInt64) throws(FSError) -> [UInt8]? {
        try base.xattr(name, of: node)
    }

    package func xattrs(of node: UInt64) throws(FSError) -> [XattrName] { try base.xattrs(of: node) }

    package func setXattr(
        _ name: XattrName,
        of node: UInt64,
        to value: UnsafeRawBufferPointer,
        flags: Int32,
        clearsSetGroupID: Bool
    ) throws(FSError) {
        try base.setXattr(name, of: node, to: value, flags: flags, clearsSetGroupID: clearsSetGroupID)
    }

    package func removeXattr(_ name: XattrName, of node: UInt64) throws(FSError) {
        try base.removeXattr(name, of: node)
    }

    package func flags(of node: UInt64) throws(FSError) -> UInt32 { try base.flags(of: node) }

    package func extendedFlags(of node: UInt64) throws(FSError) -> [UInt8] {
        try base.extendedFlags(of: node)
    }

    package func setFlags(of node: UInt64, to flags: UInt32) throws(FSError) {
        try base.setFlags(of: node, to: flags)
    }

    package func statistics() throws(FSError) -> FilesystemStatus { try base.statistics() }

    package func open(_ node: UInt64, _ request: OpenRequest) throws(FSError) -> OpenReply {
        try base.open(node, request)
    }

    package func release(_ node: UInt64) { base.release(node) }
}
