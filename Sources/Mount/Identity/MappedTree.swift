package import FUSE
package import Linux
package import Nodes

import Glibc
import SystemPackage

/// A tree with other owners: IDs mapped between the layers and the mount, or all owners shown as one.
///
/// Users outside of a mapping's ranges are shown as the kernel's overflow ID, and files that they create belong to
/// that ID: podman, as the host's root, prepares a container's files while root has no mapping. No file can be given
/// to them (EINVAL), as on an idmapped mount. Squashing concerns only what is shown: the creating user is still
/// recorded, if the daemon may.
package final class MappedTree: Operations {
    private let tree: any Operations
    package var base: (any Operations)? { tree }
    private let options: IdentityOptions
    private let overflow: (uid: UInt32, gid: UInt32)

    package init(_ tree: any Operations, _ options: IdentityOptions) {
        self.tree = tree
        self.options = options
        overflow = (MappedTree.overflow("uid"), MappedTree.overflow("gid"))
    }

    private static func overflow(_ kind: String) -> UInt32 {
        let bytes = try? OwnedFD.open(FilePath("/proc/sys/kernel/overflow\(kind)"), O_RDONLY).contents(
            limit: 64
        )
        return UInt32(String(decoding: (bytes ?? []).prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self))
            ?? 65534
    }

    // MARK: - From the layers to the mount

    private func shown(_ status: Attributes) -> Attributes {
        var status = status
        let root: UInt32? = options.squashesToRoot ? 0 : nil
        status.uid = options.squashUID ?? root ?? options.uids.shown(status.uid) ?? overflow.uid
        status.gid = options.squashGID ?? root ?? options.gids.shown(status.gid) ?? overflow.gid
        if options.hasStaticLinkCount, status.mode & S_IFMT == S_IFDIR { status.nlink = 1 }
        return status
    }

    package func lookup(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64
    ) throws(FSError) -> Attributes? {
        guard let status = try tree.lookup(name, in: parent) else { return nil }
        return shown(status)
    }

    package func attributes(of node: UInt64) throws(FSError) -> Attributes {
        shown(try tree.attributes(of: node))
    }

    package func link(
        _ node: UInt64,
        as name: UnsafeRawBufferPointer,
        in parent: UInt64
    ) throws(FSError) -> Attributes {
        shown(try tree.link(node, as: name, in: parent))
    }

    package func list(
        _ node: UInt64,
        from offset: UInt64,
        isCounting: Bool,
        _ body: (ListedEntry) throws(FSError) -> Bool
    ) throws(FSError) {
        try tree.list(node, from: offset, isCounting: isCounting) { (entry) throws(FSError) in
            try body(ListedEntry(name: entry.name, attributes: shown(entry.attributes), next: entry.next))
        }
    }

    // MARK: - From the mount to the layers

    package func makeNode(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64,
        mode: UInt32,
        device: UInt32,
        by caller: Caller
    ) throws(FSError) -> Attributes {
        try create(by: caller) { (caller) throws(FSError) in
            try tree.makeNode(name, in: parent, mode: mode, device: device, by: caller)
        }
    }

    package func makeTemporary(
        in parent: UInt64,
        mode: UInt32,
        by caller: Caller
    ) throws(FSError) -> Attributes {
        try create(by: caller) { (caller) throws(FSError) in
            try tree.makeTemporary(in: parent, mode: mode, by: caller)
        }
    }

    package func makeDirectory(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64,
        mode: UInt32,
        by caller: Caller
    ) throws(FSError) -> Attributes {
        try create(by: caller) { (caller) throws(FSError) in
            try tree.makeDirectory(name, in: parent, mode: mode, by: caller)
        }
    }

    package func makeSymlink(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64,
        target: UnsafeRawBufferPointer,
        by caller: Caller
    ) throws(FSError) -> Attributes {
        try create(by: caller) { (caller) throws(FSError) in
            try tree.makeSymlink(name, in: parent, target: target, by: caller)
        }
    }

    private func create(
        by caller: Caller,
        _ make: (Caller) throws(FSError) -> Attributes
    ) throws(FSError) -> Attributes {
        let uid = options.uids.stored(caller.uid) ?? overflow.uid
        let gid = options.gids.stored(caller.gid) ?? overflow.gid
        do throws(FSError) {
            return shown(try make(Caller(uid: uid, gid: gid, umask: caller.umask)))
        } catch {
            guard options.squashes, error == .system(.notPermitted) else { throw error }
            // The daemon may not give the file away, and its owner would not show.
            return shown(try make(Caller(uid: geteuid(), gid: getegid(), umask: caller.umask)))
        }
    }

    package func change(_ node: UInt64, _ change: AttributeChange) throws(FSError) -> Attributes {
        var change = change
        if let uid = change.uid { change.uid = try stored(uid, options.uids) }
        if let gid = change.gid { change.gid = try stored(gid, options.gids) }
        do throws(FSError) {
            return shown(try tree.change(node, change))
        } catch {
            guard options.squashes, error == .system(.notPermitted), change.uid != nil || change.gid != nil
            else { throw error }
            change.uid = nil
            change.gid = nil
            return shown(try tree.change(node, change))
        }
    }

    private func stored(_ id: UInt32, _ map: IdentityMap) throws(FSError) -> UInt32 {
        guard let stored = map.stored(id) else { throw .system(.invalidArgument) }
        return stored
    }

    // MARK: - Attributes that have user IDs in them

    package func xattr(_ name: XattrName, of node: UInt64) throws(FSError) -> [UInt8]? {
        try refuse(name)
        guard let value = try tree.xattr(name, of: node) else { return nil }
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

    package func setXattr(
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
            try tree.setXattr(name, of: node, to: value, flags: flags, clearsSetGroupID: clearsSetGroupID)
            return
        }
        try bytes.span.withUnsafeBytes { (bytes: UnsafeRawBufferPointer) throws(FSError) in
            try tree.setXattr(name, of: node, to: bytes, flags: flags, clearsSetGroupID: clearsSetGroupID)
        }
    }

    package func removeXattr(_ name: XattrName, of node: UInt64) throws(FSError) {
        try refuse(name)
        try tree.removeXattr(name, of: node)
    }

    package func xattrs(of node: UInt64) throws(FSError) -> [XattrName] {
        // ENOSYS makes the kernel never ask again.
        guard !options.hidesXattrs else { throw .system(.noFunction) }
        let names = try tree.xattrs(of: node)
        return options.hidesACLs ? names.filter { !ACL.names.contains($0) } : names
    }

    private func refuse(_ name: XattrName) throws(FSError) {
        guard !options.hidesXattrs else { throw .system(.noFunction) }
        guard !options.hidesACLs || !ACL.names.contains(name) else { throw .system(.notSupported) }
    }
}
