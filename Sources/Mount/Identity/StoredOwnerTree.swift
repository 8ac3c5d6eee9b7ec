package import FUSE
package import Linux
package import Nodes

import Glibc
import SystemPackage

/// A tree whose files and directories have their owner and mode in an attribute. To the filesystem below, every file
/// belongs to the daemon, which therefore needs no privileges.
///
/// Files of other types can't have such an attribute and belong to the daemon. The mount does not show the
/// attribute. ACLs are not supported: they would have to agree with a mode that the filesystem below does not know.
package final class StoredOwnerTree: Operations {
    private let tree: any Operations
    package var base: (any Operations)? { tree }
    let store: OwnerStore

    package init(_ tree: any Operations, _ store: OwnerStore) {
        self.tree = tree
        self.store = store
    }

    // MARK: - Reading

    private static func canHaveOwner(_ mode: UInt32) -> Bool {
        mode & S_IFMT == S_IFREG || mode & S_IFMT == S_IFDIR
    }

    /// The contents of the attribute; nil without one. EIO where they can't be parsed.
    private func owner(of node: UInt64) throws(FSError) -> StoredOwner? {
        var value = try tree.xattr(store.attribute, of: node)
        if value == nil, let older = store.olderAttribute { value = try tree.xattr(older, of: node) }
        guard let value else { return nil }
        guard let owner = StoredOwner(parsing: value) else { throw .system(.ioError) }
        return owner
    }

    private func shown(_ status: Attributes) throws(FSError) -> Attributes {
        guard StoredOwnerTree.canHaveOwner(status.mode), let owner = try owner(of: status.id) else {
            return status
        }
        var status = status
        status.uid = owner.uid
        status.gid = owner.gid
        let type = owner.mode & S_IFMT
        status.mode = owner.mode & 0o7777 | (type == 0 ? status.mode & S_IFMT : type)
        if type == S_IFCHR || type == S_IFBLK { status.rdev = owner.rdev }
        return status
    }

    package func lookup(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64
    ) throws(FSError) -> Attributes? {
        guard let status = try tree.lookup(name, in: parent) else { return nil }
        do throws(FSError) {
            return try shown(status)
        } catch {
            tree.forget(status.id, count: 1)
            throw error
        }
    }

    package func attributes(of node: UInt64) throws(FSError) -> Attributes {
        try shown(try tree.attributes(of: node))
    }

    package func link(
        _ node: UInt64,
        as name: UnsafeRawBufferPointer,
        in parent: UInt64
    ) throws(FSError) -> Attributes {
        try shown(try tree.link(node, as: name, in: parent))
    }

    /// Reads the target of a symbolic link, which the layer may have as a regular file.
    package func target(of node: UInt64) throws(FSError) -> [UInt8] {
        let status = try tree.attributes(of: node)
        guard status.mode & S_IFMT == S_IFREG, let owner = try owner(of: node), owner.mode & S_IFMT == S_IFLNK
        else { return try tree.target(of: node) }
        guard status.size <= UInt64(PATH_MAX) else { throw .system(.fileNameTooLong) }
        var target = [UInt8](repeating: 0, count: Int(status.size))
        var count = 0
        var failure: FSError?
        target.withUnsafeMutableBytes { buffer in
            do throws(FSError) { count = try tree.read(node, into: buffer, at: 0) } catch { failure = error }
        }
        if let failure { throw failure }
        return Array(target.prefix(count))
    }

    private struct Entry {
        let name: [UInt8]
        let status: Attributes
        let next: UInt64
    }

    /// Lists in portions: the tree below holds its lock while it lists, and must not be asked for attributes then.
    package func list(
        _ node: UInt64,
        from offset: UInt64,
        isCounting: Bool,
        _ body: (ListedEntry) throws(FSError) -> Bool
    ) throws(FSError) {
        var offset = offset
        while true {
            var portion: [Entry] = []
            try tree.list(node, from: offset, isCounting: isCounting) {
                (entry) throws(FSError) in
                guard portion.count < 64 else { return false }
                portion.append(Entry(name: [UInt8](entry.name), status: entry.attributes, next: entry.next))
                return true
            }
            var delivered = 0
            defer {
                if isCounting {
                    for entry in portion[delivered...] where entry.name != [46] && entry.name != [46, 46] {
                        tree.forget(entry.status.id, count: 1)
                    }
                }
            }
            for entry in portion {
                let status = try shown(entry.status)
                let isWanted = try entry.name.span.withUnsafeBytes {
                    (name: UnsafeRawBufferPointer) throws(FSError) in
                    try body(ListedEntry(name: name, attributes: status, next: entry.next))
                }
                guard isWanted else { return }
                delivered += 1
                offset = entry.next
            }
            guard !portion.isEmpty else { return }
        }
    }

    // MARK: - Creating

    package func makeNode(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64,
        mode: UInt32,
        device: UInt32,
        by caller: Caller
    ) throws(FSError) -> Attributes {
        let status = try tree.makeNode(name, in: parent, mode: mode, device: device, by: own(caller))
        return try give(status, name, in: parent, to: caller)
    }

    package func makeDirectory(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64,
        mode: UInt32,
        by caller: Caller
    ) throws(FSError) -> Attributes {
        let status = try tree.makeDirectory(name, in: parent, mode: mode, by: own(caller))
        return try give(status, name, in: parent, to: caller)
    }

    package func makeSymlink(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64,
        target: UnsafeRawBufferPointer,
        by caller: Caller
    ) throws(FSError) -> Attributes {
        try tree.makeSymlink(name, in: parent, target: target, by: own(caller))
    }

    package func makeTemporary(
        in parent: UInt64,
        mode: UInt32,
        by caller: Caller
    ) throws(FSError) -> Attributes {
        try give(tree.makeTemporary(in: parent, mode: mode, by: own(caller)), nil, in: parent, to: caller)
    }

    private func own(_ caller: Caller) -> Caller {
        Caller(uid: geteuid(), gid: getegid(), umask: caller.umask)
    }

    /// Records the owner of a new file; removes the file again where that fails.
    private func give(
        _ status: Attributes,
        _ name: UnsafeRawBufferPointer?,
        in parent: UInt64,
        to caller: Caller
    ) throws(FSError) -> Attributes {
        guard StoredOwnerTree.canHaveOwner(status.mode) else { return status }
        let isDirectory = status.mode & S_IFMT == S_IFDIR
        do throws(FSError) {
            var owner = StoredOwner(uid: caller.uid, gid: caller.gid, mode: status.mode & 0o7777)
            let directory = try self.attributes(of: parent)
            if directory.mode & S_ISGID != 0 {
                owner.gid = directory.gid
                if isDirectory { owner.mode |= S_ISGID }
            }
            try set(owner, of: status.id)
            // The daemon must be able to open its own file, and no user may run it as the daemon.
            let needed: UInt32 = status.mode & 0o777 | (isDirectory ? 0o700 : 0o600)
            if status.mode & 0o7777 != needed {
                var change = AttributeChange()
                change.mode = needed
                _ = try tree.change(status.id, change)
            }
            return try self.attributes(of: status.id)
        } catch {
            tree.forget(status.id, count: 1)
            guard let name else { throw error }
            if isDirectory {
                try? tree.removeDirectory(name, in: parent)
            } else {
                try? tree.unlink(name, in: parent)
            }
            throw error
        }
    }

    private func set(_ owner: StoredOwner, of node: UInt64) throws(FSError) {
        try owner.text.span.withUnsafeBytes { (bytes: UnsafeRawBufferPointer) throws(FSError) in
            try tree.setXattr(store.attribute, of: node, to: bytes, flags: 0, clearsSetGroupID: false)
        }
    }

    // MARK: - Changing

    package func change(_ node: UInt64, _ change: AttributeChange) throws(FSError) -> Attributes {
        let status = try self.attributes(of: node)
        var rest = change
        rest.mode = nil
        rest.uid = nil
        rest.gid = nil
        rest.killsPrivileges = false
        if change.killsPrivileges { try dropPrivileges(of: node) }
        let isOwnership = change.mode != nil || change.uid != nil || change.gid != nil
        if isOwnership, StoredOwnerTree.canHaveOwner(try tree.attributes(of: node).mode) {
            if change.uid != nil || change.gid != nil { try dropPrivileges(of: node) }
            var owner = StoredOwner(
                uid: change.uid ?? status.uid,
                gid: change.gid ?? status.gid,
                mode: try self.attributes(of: node).mode & 0o7777
            )
            if let mode = change.mode { owner.mode = mode & 0o7777 }
            try set(owner, of: node)
        }
        let hasMore = rest.size != nil || rest.atime != nil || rest.mtime != nil
        return try hasMore ? shown(tree.change(node, rest)) : self.attributes(of: node)
    }

    /// Drops what a write or a chown takes from a file: set-id bits and capabilities.
    private func dropPrivileges(of node: UInt64) throws(FSError) {
        let status = try self.attributes(of: node)
        guard status.mode & S_IFMT == S_IFREG else { return }
        if try tree.xattr(stored(FileCapability.name), of: node) != nil {
            try tree.removeXattr(stored(FileCapability.name), of: node)
        }
        // Set-group-id without group execution has another meaning.
        let dropped: UInt32 = S_ISUID | (status.mode & S_IXGRP != 0 ? S_ISGID : 0)
        guard status.mode & dropped != 0 else { return }
        try set(StoredOwner(uid: status.uid, gid: status.gid, mode: status.mode & ~dropped), of: node)
    }

    package func write(
        _ node: UInt64,
        _ bytes: UnsafeRawBufferPointer,
        at offset: UInt64,
        killsPrivileges: Bool
    ) throws(FSError) -> Int {
        if killsPrivileges { try dropPrivileges(of: node) }
        return try tree.write(node, bytes, at: offset, killsPrivileges: killsPrivileges)
    }

    package func allocate(
        _ node: UInt64,
        mode: Int32,
        offset: Int64,
        length: Int64,
        killsPrivileges: Bool
    ) throws(FSError) {
        if killsPrivileges { try dropPrivileges(of: node) }
        try tree.allocate(
            node,
            mode: mode,
            offset: offset,
            length: length,
            killsPrivileges: killsPrivileges
        )
    }

    package func copyRange(
        from source: UInt64,
        at sourceOffset: UInt64,
        to target: UInt64,
        at targetOffset: UInt64,
        count: Int,
        killsPrivileges: Bool
    ) throws(FSError) -> Int {
        if killsPrivileges { try dropPrivileges(of: target) }
        return try tree.copyRange(
            from: source,
            at: sourceOffset,
            to: target,
            at: targetOffset,
            count: count,
            killsPrivileges: killsPrivileges
        )
    }

    // MARK: - Attributes

    package func xattr(_ name: XattrName, of node: UInt64) throws(FSError) -> [UInt8]? {
        guard visible(name) == name else { return nil }
        return try tree.xattr(stored(name), of: node)
    }

    package func xattrs(of node: UInt64) throws(FSError) -> [XattrName] {
        try tree.xattrs(of: node).compactMap(visible)
    }

    package func setXattr(
        _ name: XattrName,
        of node: UInt64,
        to value: UnsafeRawBufferPointer,
        flags: Int32,
        clearsSetGroupID: Bool
    ) throws(FSError) {
        try check(name)
        try tree.setXattr(
            stored(name),
            of: node,
            to: value,
            flags: flags,
            clearsSetGroupID: clearsSetGroupID
        )
    }

    package func removeXattr(_ name: XattrName, of node: UInt64) throws(FSError) {
        try check(name)
        try tree.removeXattr(stored(name), of: node)
    }
}
