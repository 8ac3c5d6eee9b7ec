package import FUSE
package import Linux

import Glibc
import SystemPackage
import Union
import Synchronization

/// The union in passthrough mode: which file the kernel reads and writes for an open node.
///
/// **One file a node.** As long as a node is open, the kernel takes one backing file for it and no other. So where
/// somebody writes to a file that others have open from the lower, the node is *superseded*: paths lead to a
/// successor from then on, whose file is the upper's, and who has the old one open keeps the lower's data, as in the
/// kernel's overlayfs. The union knows nothing of it: it has one file with one number, which is the predecessor's
/// here; the successor's is that with a bit set, and st_ino is the same.
///
/// **How paths get there.** The kernel remembers which node a name leads to. An open of a predecessor is answered
/// ESTALE, upon which it looks the path up again, at once and whatever it remembered (LOOKUP_REVAL in
/// `fs/namei.c`), and finds the successor. What leads to the predecessor for good, a link in /proc/self/fd, comes
/// back after that; then it is served: what it was while others have that open, and only for reading; else what the
/// successor is. Attributes of a predecessor are the file's, and are asked for each time.
///
/// **Set-id bits.** The kernel leaves it to us to drop them when somebody without privileges writes, and does not tell
/// us of the write. So they go when such a user opens a file for writing; and who sets them while others have the
/// file open for writing sets none, as if these had written right after.
package final class PassthroughTree: ForwardingTree, @unchecked Sendable {
    // Safe to share: `state` has a lock, everything else never changes.
    private let tree: MountedTree
    private let backings: Backings
    private let state = Mutex(State())
    /// Whether any node was ever superseded: as long as not, no lookup needs to look.
    private let hasSuccessors = Atomic(false)

    private struct State {
        var opens: [UInt64: OpenNode] = [:]

        mutating func join(_ node: UInt64) -> OpenReply? {
            guard var open = opens[node] else { return nil }
            open.count += 1
            opens[node] = open
            return open.reply
        }

        /// By the predecessor's number.
        var superseded: [UInt64: Supersession] = [:]
    }

    /// A node that is open.
    private struct OpenNode {
        var count = 1
        let reply: OpenReply
        /// Its backing file is a lower's.
        let isLower: Bool
        /// Users without privileges who opened it for writing.
        var writers: Set<UInt32> = []
    }

    private struct Supersession {
        /// Threads that were told to look the path up again.
        var sent: Set<Int32> = []
        /// References to the successor that the kernel holds.
        var references: UInt64 = 0
        /// References to the predecessor that the kernel gave back; the union hears of them when those to the
        /// successor are gone, which it cannot tell apart.
        var forgotten: UInt64 = 0
    }

    package init(_ tree: MountedTree, _ backings: Backings) {
        self.tree = tree
        self.backings = backings
        super.init(tree)
    }

    // MARK: - Numbers

    private static let successorBit: UInt64 = 1 << 62

    /// The union's number of a node.
    private func plain(_ node: UInt64) -> UInt64 { node & ~PassthroughTree.successorBit }

    private func isSuccessor(_ node: UInt64) -> Bool { node & PassthroughTree.successorBit != 0 }

    private func isSuperseded(_ id: UInt64) -> Bool {
        hasSuccessors.load(ordering: .acquiring) && state.withLock { $0.superseded[id] != nil }
    }

    /// What the kernel is told of a node: paths lead to the successor.
    private func shown(_ status: NodeStatus) -> NodeStatus {
        guard isSuperseded(status.node) else { return status }
        var status = status
        status.node |= PassthroughTree.successorBit
        return status
    }

    /// The same, where the kernel gets a reference.
    private func counted(_ status: NodeStatus) -> NodeStatus {
        let status = shown(status)
        count(status)
        return status
    }

    private func count(_ status: NodeStatus) {
        guard isSuccessor(status.node) else { return }
        state.withLock { $0.superseded[plain(status.node)]?.references += 1 }
    }

    /// Attributes as an answer to who asked for `node`.
    private func answer(_ status: NodeStatus, for node: UInt64) -> NodeStatus {
        guard !isSuccessor(node), isSuperseded(node) else { return status }
        var status = status
        status.isPassing = true
        return status
    }

    /// What was changed through a predecessor, the kernel must not remember of the successor. The other way round it
    /// remembers nothing.
    private func noteChange(_ node: UInt64) {
        guard !isSuccessor(node), isSuperseded(node) else { return }
        backings.forgetAttributes(of: node | PassthroughTree.successorBit)
    }

    // MARK: - Opens

    package override func open(_ node: UInt64, _ request: OpenRequest) throws(FSError) -> OpenReply {
        let id = plain(node)
        // Sent here by the predecessor, perhaps: the next open of that is another one.
        if isSuccessor(node) { state.withLock { _ = $0.superseded[id]?.sent.remove(request.thread) } }
        guard request.isWriting else {
            return try openForReading(node, request)
        }
        try tree.union.prepareWriting(
            id,
            isTruncating: request.flags & O_TRUNC != 0,
            killsPrivileges: request.killsPrivileges
        )
        if !isSuccessor(node) {
            supersedeIfNeeded(id)
            try redirect(id, request)
            noteChange(id)
        }
        let reply = try join(node)
        guard request.uid != 0 else { return reply }
        state.withLock { _ = $0.opens[node]?.writers.insert(request.uid) }
        do throws(FSError) {
            // From here on nobody sets them again.
            try dropSetID(node)
        } catch {
            release(node)
            throw error
        }
        return reply
    }

    private func dropSetID(_ node: UInt64) throws(FSError) {
        let mode = try tree.status(of: plain(node)).mode
        guard mode & (S_ISUID | S_ISGID) != 0 else { return }
        var change = StatusChange()
        change.mode = withoutSetID(mode)
        _ = try tree.change(plain(node), change)
        backings.forgetAttributes(of: node)
        noteChange(node)
    }

    /// Set-group-id without group execution once meant mandatory locking: it stays.
    private func withoutSetID(_ mode: UInt32) -> UInt32 {
        mode & ~(S_ISUID | (mode & S_IXGRP != 0 ? S_ISGID : 0))
    }

    /// Whether somebody else than the owner, and not root, has a file open for writing.
    private func isWrittenByOthers(_ id: UInt64) throws(FSError) -> Bool {
        let writers = state.withLock { state in
            [id, id | PassthroughTree.successorBit].reduce(into: Set<UInt32>()) {
                $0.formUnion(state.opens[$1]?.writers ?? [])
            }
        }
        guard !writers.isEmpty else { return false }
        return writers != [try tree.status(of: id).uid]
    }

    private func openForReading(_ node: UInt64, _ request: OpenRequest) throws(FSError) -> OpenReply {
        if !isSuccessor(node) { try redirect(node, request) }
        return try join(node)
    }

    /// ESTALE for a predecessor that a path still leads to, and for one that would be written to while others have the
    /// lower's file open.
    private func redirect(_ id: UInt64, _ request: OpenRequest) throws(FSError) {
        guard hasSuccessors.load(ordering: .acquiring) else { return }
        let isServed = state.withLock { state in
            guard state.superseded[id] != nil else { return true }
            // Sent away before and back again: there is no path.
            guard state.superseded[id]?.sent.remove(request.thread) != nil else {
                state.superseded[id]?.sent.insert(request.thread)
                return false
            }
            return !request.isWriting || state.opens[id]?.isLower != true
        }
        guard isServed else { throw .system(.staleNFSFileHandle) }
    }

    /// After the data of `id` came to the upper: nobody but those who have the lower's file open may see that.
    private func supersedeIfNeeded(_ id: UInt64) {
        let isNew = state.withLock { state in
            guard let open = state.opens[id], open.isLower, state.superseded[id] == nil else { return false }
            state.superseded[id] = Supersession()
            hasSuccessors.store(true, ordering: .releasing)
            return true
        }
        if isNew { backings.forgetAttributes(of: id) }
    }

    /// Counts one more open of a node, in the way in which it is open already if it is.
    private func join(_ node: UInt64) throws(FSError) -> OpenReply {
        if let reply = state.withLock({ $0.join(node) }) { return reply }
        let id = plain(node)
        while true {
            let whole = try tree.union.wholeFile(of: id)
            var reply = OpenReply.cached(keepsCache: whole == nil)
            var isLower = false
            if let whole, let number = try? backings.register(whole.file.fd) {
                reply = .passthrough(number)
                isLower = !whole.isWritable
            }
            let joined = state.withLock { state -> OpenReply? in
                if let known = state.join(node) { return known }
                // Copied up meanwhile: whoever did that may have looked for open files before this one is among them.
                guard !isLower || tree.union.hasAllDataInLower(id) else { return nil }
                state.opens[node] = OpenNode(reply: reply, isLower: isLower)
                return reply
            }
            if joined != reply, case .passthrough(let number) = reply { backings.unregister(number) }
            if let joined { return joined }
        }
    }

    package override func release(_ node: UInt64) {
        let closed = state.withLock { state -> OpenReply? in
            guard var open = state.opens[node] else { return nil }
            open.count -= 1
            state.opens[node] = open.count > 0 ? open : nil
            return open.count > 0 ? nil : open.reply
        }
        if case .passthrough(let number) = closed { backings.unregister(number) }
    }

    // MARK: - Everything else

    package override func lookup(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64
    ) throws(FSError) -> NodeStatus? {
        try tree.lookup(name, in: parent).map(counted)
    }

    package override func forget(_ references: [References]) {
        tree.forget(
            references.compactMap { given in
                let id = plain(given.node)
                let due = isSuperseded(id) ? due(given, of: id) : given.count
                return due > 0 ? References(id, due) : nil
            }
        )
    }

    /// How many references a superseded node loses, or its successor with the same number.
    private func due(_ given: References, of id: UInt64) -> UInt64 {
        state.withLock { state -> UInt64 in
            guard var entry = state.superseded[id] else { return given.count }
            if isSuccessor(given.node) {
                entry.references -= min(given.count, entry.references)
            } else {
                entry.forgotten += given.count
            }
            var due = isSuccessor(given.node) ? given.count : 0
            if entry.references == 0 {
                due += entry.forgotten
                entry.forgotten = 0
            }
            state.superseded[id] = entry
            return due
        }
    }

    package override func status(of node: UInt64) throws(FSError) -> NodeStatus {
        answer(try tree.status(of: plain(node)), for: node)
    }

    package override func birth(
        of node: UInt64
    ) throws(FSError) -> (seconds: Int64, nanoseconds: UInt32)? { try tree.birth(of: plain(node)) }

    package override func change(_ node: UInt64, _ change: StatusChange) throws(FSError) -> NodeStatus {
        var change = change
        if let mode = change.mode, mode & (S_ISUID | S_ISGID) != 0, try isWrittenByOthers(plain(node)) {
            change.mode = withoutSetID(mode)
        }
        let status = try tree.change(plain(node), change)
        if change.size != nil, !isSuccessor(node) { supersedeIfNeeded(node) }
        noteChange(node)
        return answer(status, for: node)
    }

    package override func link(
        _ node: UInt64,
        as name: UnsafeRawBufferPointer,
        in parent: UInt64
    ) throws(FSError) -> NodeStatus {
        let status = counted(try tree.link(plain(node), as: name, in: parent))
        noteChange(node)
        return status
    }

    package override func list(
        _ node: UInt64,
        from offset: UInt64,
        isCounting: Bool,
        _ body: (UnsafeRawBufferPointer, NodeStatus, UInt64) throws(FSError) -> Bool
    ) throws(FSError) {
        try tree.list(node, from: offset, isCounting: isCounting) { (name, status, next) throws(FSError) in
            let status = shown(status)
            guard try body(name, status, next) else { return false }
            if isCounting { count(status) }
            return true
        }
    }

    package override func read(
        _ node: UInt64,
        into buffer: UnsafeMutableRawBufferPointer,
        at offset: UInt64
    ) throws(FSError) -> Int {
        try tree.read(plain(node), into: buffer, at: offset)
    }

    package override func write(
        _ node: UInt64,
        _ bytes: UnsafeRawBufferPointer,
        at offset: UInt64,
        killsPrivileges: Bool
    ) throws(FSError) -> Int {
        let count = try tree.write(plain(node), bytes, at: offset, killsPrivileges: killsPrivileges)
        noteChange(node)
        return count
    }

    package override func synchronize(_ node: UInt64, dataOnly: Bool) throws(FSError) {
        try tree.synchronize(plain(node), dataOnly: dataOnly)
    }

    package override func allocate(
        _ node: UInt64,
        mode: Int32,
        offset: Int64,
        length: Int64,
        killsPrivileges: Bool
    ) throws(FSError) {
        try tree.allocate(
            plain(node),
            mode: mode,
            offset: offset,
            length: length,
            killsPrivileges: killsPrivileges
        )
        noteChange(node)
    }

    package override func seek(_ node: UInt64, offset: Int64, whence: Int32) throws(FSError) -> Int64 {
        try tree.seek(plain(node), offset: offset, whence: whence)
    }

    package override func copyRange(
        from source: UInt64,
        at sourceOffset: UInt64,
        to target: UInt64,
        at targetOffset: UInt64,
        count: Int,
        killsPrivileges: Bool
    ) throws(FSError) -> Int {
        let copied = try tree.copyRange(
            from: plain(source),
            at: sourceOffset,
            to: plain(target),
            at: targetOffset,
            count: count,
            killsPrivileges: killsPrivileges
        )
        noteChange(target)
        return copied
    }

    package override func xattr(_ name: XattrName, of node: UInt64) throws(FSError) -> [UInt8]? {
        try tree.xattr(name, of: plain(node))
    }

    package override func xattrs(of node: UInt64) throws(FSError) -> [XattrName] {
        try tree.xattrs(of: plain(node))
    }

    package override func setXattr(
        _ name: XattrName,
        of node: UInt64,
        to value: UnsafeRawBufferPointer,
        flags: Int32,
        clearsSetGroupID: Bool
    ) throws(FSError) {
        try tree.setXattr(
            name,
            of: plain(node),
            to: value,
            flags: flags,
            clearsSetGroupID: clearsSetGroupID
        )
        noteChange(node)
    }

    package override func flags(of node: UInt64) throws(FSError) -> UInt32 {
        try tree.flags(of: plain(node))
    }

    package override func extendedFlags(of node: UInt64) throws(FSError) -> [UInt8] {
        try tree.extendedFlags(of: plain(node))
    }

    package override func setFlags(of node: UInt64, to flags: UInt32) throws(FSError) {
        try tree.setFlags(of: plain(node), to: flags)
        noteChange(node)
    }

    package override func removeXattr(_ name: XattrName, of node: UInt64) throws(FSError) {
        try tree.removeXattr(name, of: plain(node))
        noteChange(node)
    }
}
