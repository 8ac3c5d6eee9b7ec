package import FUSE
package import Linux
package import Nodes
package import Union

import Glibc
import Synchronization
import SystemPackage

/// The union in passthrough mode: decides which file the kernel reads and writes for an open node.
///
/// **One file a node.** While a node is open, the kernel uses one backing file for it, for all of its opens or for
/// none, and can't be told that the data has moved. So a node gets a backing file only where its data can't move: an
/// upper file that has all its data, or a lower file where there is no upper. All other nodes are read and written
/// by requests, through the page cache, for as long as they are open: readers and writers always share one file and
/// one set of locks.
///
/// **Set-id bits.** The kernel leaves it to the daemon to drop them when a user without privileges writes, and does
/// not report the write. So they are dropped when such a user opens a file for writing; and a chmod that sets them
/// while other users have the file open for writing sets none, as if these had written right after it.
package final class PassthroughTree: Operations {
    // Safe to share: `opens` has a lock; all else never changes.
    private let union: UnionTree
    package var base: (any Operations)? { union }
    private let backings: Backings
    private let opens = Mutex<[UInt64: OpenNode]>([:])

    /// A node that is open.
    private struct OpenNode {
        var count = 1
        let reply: OpenReply
        /// The users without privileges who opened it for writing.
        var writers: Set<UInt32> = []
    }

    package init(_ union: UnionTree, _ backings: Backings) {
        self.union = union
        self.backings = backings
    }

    // MARK: - Opens

    package func open(_ node: UInt64, _ request: OpenRequest) throws(FSError) -> OpenReply {
        guard request.isWriting else { return try join(node) }
        try union.prepareWriting(
            node,
            isTruncating: request.flags & O_TRUNC != 0,
            killsPrivileges: request.killsPrivileges
        )
        let reply = try join(node)
        guard request.uid != 0 else { return reply }
        opens.withLock { _ = $0[node]?.writers.insert(request.uid) }
        do throws(FSError) {
            // From here on `change` does not set them.
            try dropSetID(node)
        } catch {
            release(node)
            throw error
        }
        return reply
    }

    /// Counts one more open of a node, which is served like those before it.
    private func join(_ node: UInt64) throws(FSError) -> OpenReply {
        func known(_ opens: inout [UInt64: OpenNode]) -> OpenReply? {
            opens[node]?.count += 1
            return opens[node]?.reply
        }
        if let reply = opens.withLock({ known(&$0) }) { return reply }
        while true {
            let hasOneFile = union.hasOneFile(node)
            // If the node was passed through before, the page cache does not have what was written then.
            var reply = OpenReply.cached(keepsCache: !hasOneFile)
            if hasOneFile, let file = try union.wholeFile(of: node),
                let number = try? backings.register(file.fd)
            {
                reply = .passthrough(number)
            }
            let joined = opens.withLock { opens -> OpenReply? in
                if let reply = known(&opens) { return reply }
                // Another thread may have completed the file meanwhile, and a process opened, written and closed it.
                guard hasOneFile || !union.hasOneFile(node) else { return nil }
                opens[node] = OpenNode(reply: reply)
                return reply
            }
            if joined != reply, case .passthrough(let number) = reply { backings.unregister(number) }
            if let joined { return joined }
        }
    }

    package func release(_ node: UInt64) {
        let closed = opens.withLock { opens -> OpenReply? in
            guard var open = opens[node] else { return nil }
            open.count -= 1
            opens[node] = open.count > 0 ? open : nil
            return open.count > 0 ? nil : open.reply
        }
        if case .passthrough(let number) = closed { backings.unregister(number) }
    }

    // MARK: - Set-id bits

    package func change(_ node: UInt64, _ change: AttributeChange) throws(FSError) -> Attributes {
        var change = change
        if let mode = change.mode, mode & (S_ISUID | S_ISGID) != 0, try isWrittenByOthers(node) {
            change.mode = withoutSetID(mode)
        }
        return try union.change(node, change)
    }

    private func dropSetID(_ node: UInt64) throws(FSError) {
        let mode = try union.attributes(of: node).mode
        guard mode & (S_ISUID | S_ISGID) != 0 else { return }
        var change = AttributeChange()
        change.mode = withoutSetID(mode)
        _ = try union.change(node, change)
        backings.forgetAttributes(of: node)
    }

    /// Set-group-id without group execution once meant mandatory locking, so it stays.
    private func withoutSetID(_ mode: UInt32) -> UInt32 {
        mode & ~(S_ISUID | (mode & S_IXGRP != 0 ? S_ISGID : 0))
    }

    /// Whether a user other than the owner and root has a file open for writing.
    private func isWrittenByOthers(_ node: UInt64) throws(FSError) -> Bool {
        let writers = opens.withLock { $0[node]?.writers ?? [] }
        guard !writers.isEmpty else { return false }
        return writers != [try union.attributes(of: node).uid]
    }
}
