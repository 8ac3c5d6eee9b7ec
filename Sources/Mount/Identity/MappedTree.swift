package import FUSE
package import Linux

import Glibc
import SystemPackage

/// A tree with other owners: numbers translated between the layers and the mount, or all owners shown as one.
///
/// Users whom no range of a mapping has are shown as the kernel's overflow id, and what they create is recorded as
/// that id's: podman, as the host's root, prepares a container's files while root has no number in it. They can be
/// given nothing (EINVAL), as on an idmapped mount. Squashing concerns what is shown: who creates is still recorded,
/// if the daemon may.
package final class MappedTree: ForwardingTree, @unchecked Sendable {
    private let options: IdentityOptions
    private let overflow: (uid: UInt32, gid: UInt32)

    package init(_ base: any Operations, _ options: IdentityOptions) {
        self.options = options
        overflow = (MappedTree.overflow("uid"), MappedTree.overflow("gid"))
        super.init(base)
    }

    private static func overflow(_ kind: String) -> UInt32 {
        let bytes = try? OwnedFD.open(FilePath("/proc/sys/kernel/overflow\(kind)"), O_RDONLY).contents(
            limit: 64
        )
        return UInt32(String(decoding: (bytes ?? []).prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self))
            ?? 65534
    }

    // MARK: - From the layers to the mount

    private func shown(_ status: NodeStatus) -> NodeStatus {
        var status = status
        let root: UInt32? = options.squashesToRoot ? 0 : nil
        status.uid = options.squashUID ?? root ?? options.uids.shown(status.uid) ?? overflow.uid
        status.gid = options.squashGID ?? root ?? options.gids.shown(status.gid) ?? overflow.gid
        if options.hasStaticLinkCount, status.mode & S_IFMT == S_IFDIR { status.nlink = 1 }
        return status
    }

    package override func lookup(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64
    ) throws(FSError) -> NodeStatus? {
        guard let status = try base.lookup(name, in: parent) else { return nil }
        return shown(status)
    }

    package override func status(of node: UInt64) throws(FSError) -> NodeStatus {
        shown(try base.status(of: node))
    }

    package override func link(
        _ node: UInt64,
        as name: UnsafeRawBufferPointer,
        in parent: UInt64
    ) throws(FSError) -> NodeStatus {
        shown(try base.link(node, as: name, in: parent))
    }

    package override func list(
        _ node: UInt64,
        from offset: UInt64,
        isCounting: Bool,
        _ body: (UnsafeRawBufferPointer, NodeStatus, UInt64) throws(FSError) -> Bool
    ) throws(FSError) {
        try base.list(node, from: offset, isCounting: isCounting) { (name, status, next) throws(FSError) in
            try body(name, shown(status), next)
        }
    }

    // MARK: - From the mount to the layers

    package override func makeNode(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64,
        mode: UInt32,
        device: UInt32,
        by caller: Caller
    ) throws(FSError) -> NodeStatus {
        try create(by: caller) { (caller) throws(FSError) in
            try base.makeNode(name, in: parent, mode: mode, device: device, by: caller)
        }
    }

    package override func makeTemporary(
        in parent: UInt64,
        mode: UInt32,
        by caller: Caller
    ) throws(FSError) -> NodeStatus {
        try create(by: caller) { (caller) throws(FSError) in
            try base.makeTemporary(in: parent, mode: mode, by: caller)
        }
    }

    package override func makeDirectory(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64,
        mode: UInt32,
        by caller: Caller
    ) throws(FSError) -> NodeStatus {
        try create(by: caller) { (caller) throws(FSError) in
            try base.makeDirectory(name, in: parent, mode: mode, by: caller)
        }
    }

    package override func makeSymlink(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64,
        target: UnsafeRawBufferPointer,
        by caller: Caller
    ) throws(FSError) -> NodeStatus {
        try create(by: caller) { (caller) throws(FSError) in
            try base.makeSymlink(name, in: parent, target: target, by: caller)
        }
    }

    private func create(
        by caller: Caller,
        _ make: (Caller) throws(FSError) -> NodeStatus
    ) throws(FSError) -> NodeStatus {
        let uid = options.uids.stored(caller.uid) ?? overflow.uid
        let gid = options.gids.stored(caller.gid) ?? overflow.gid
        do throws(FSError) {
            return shown(try make(Caller(uid: uid, gid: gid, umask: caller.umask)))
        } catch {
            guard options.squashes, error == .system(.notPermitted) else { throw error }
            // The daemon may not give it away, and nobody would see whose it is.
            return shown(try make(Caller(uid: geteuid(), gid: getegid(), umask: caller.umask)))
        }
    }

    package override func change(_ node: UInt64, _ change: StatusChange) throws(FSError) -> NodeStatus {
        var change = change
        if let uid = change.uid { change.uid = try stored(uid, options.uids) }
        if let gid = change.gid { change.gid = try stored(gid, options.gids) }
        do throws(FSError) {
            return shown(try base.change(node, change))
        } catch {
            guard options.squashes, error == .system(.notPermitted), change.uid != nil || change.gid != nil
            else { throw error }
            change.uid = nil
            change.gid = nil
            return shown(try base.change(node, change))
        }
    }

    private func stored(_ id: UInt32, _ map: IdentityMap) throws(FSError) -> UInt32 {
        guard let stored = map.stored(id) else { throw .system(.invalidArgument) }
        return stored
    }

    // MARK: - Attributes that have numbers of users in them

    package override func xattr(_ name: XattrName, of node: UInt64) throws(FSError) -> [UInt8]? {
        try refuse(name)
        guard let value = try base.xattr(name, of: node) else { return nil }
        switch name {
        case _ where ACL.names.contains(name):
            return ACL.translated(value) { id, isGroup in
                let shown = isGroup ? options.gids.shown(id) : options.uids.shown(id)
                return shown ?? (isGroup ? overflow.gid : overflow.uid)
            } ?? value
        case FileCapability.name:
            return FileCapability.translated(value) { options.uids.shown($0) }
        default: return value
        }
    }

    package override func setXattr(
        _ name: XattrName,
        of node: UInt64,
        to value: UnsafeRawBufferPointer,
        flags: Int32,
        clearsSetGroupID: Bool
    ) throws(FSError) {
        try refuse(name)
        var bytes: [UInt8]
        switch name {
        case _ where ACL.names.contains(name):
            let translated = ACL.translated(Array(value)) { id, isGroup in
                isGroup ? options.gids.stored(id) : options.uids.stored(id)
            }
            guard let translated else { throw .system(.invalidArgument) }
            bytes = translated
        case FileCapability.name:
            guard let translated = FileCapability.translated(Array(value), { options.uids.stored($0) }) else {
                throw .system(.invalidArgument)
            }
            bytes = translated
        default:
            try base.setXattr(name, of: node, to: value, flags: flags, clearsSetGroupID: clearsSetGroupID)
            return
        }
        try bytes.span.withUnsafeBytes { (bytes: UnsafeRawBufferPointer) throws(FSError) in
            try base.setXattr(name, of: node, to: bytes, flags: flags, clearsSetGroupID: clearsSetGroupID)
        }
    }

    package override func removeXattr(_ name: XattrName, of node: UInt64) throws(FSError) {
        try refuse(name)
        try base.removeXattr(name, of: node)
    }

    package override func xattrs(of node: UInt64) throws(FSError) -> [XattrName] {
        // ENOSYS: the kernel never asks again.
        guard !options.hidesXattrs else { throw .system(.noFunction) }
        let names = try base.xattrs(of: node)
        return options.hidesACLs ? names.filter { !ACL.names.contains($0) } : names
    }

    private func refuse(_ name: XattrName) throws(FSError) {
        guard !options.hidesXattrs else { throw .system(.noFunction) }
        guard !options.hidesACLs || !ACL.names.contains(name) else { throw .system(.notSupported) }
    }
}
