import Linux
import Overlay
import SystemPackage

/// What tells an upper from a copy of it that lost something: tar, cp and rsync by default keep neither holes nor
/// extended attributes, and what the union has noted there is gone with them.
extension UnionTree {
    /// When nobody changes files any more: a copy that is made from now on can be told from one that is damaged.
    func sealFiles() {
        for node in unsealed.take() {
            guard case .partial(let data) = node.data, names.locked({ !node.isOrphan }) else { continue }
            // What can't be noted (the disk is full) is a copy's loss.
            try? partial(node, data).seal()
        }
    }

    // MARK: - Marks at all

    /// Before the first mark without which the upper would show something else. Preconditions: `names` is not locked.
    func noteMarks() throws(FSError) {
        guard try !writable().hasNotedMarks else { return }
        let held = names.lock()
        defer { names.unlock() }
        try noteMarks(held)
    }

    /// The same.
    func noteMarks(_ held: HeldNames) throws(FSError) {
        let upper = try writable()
        guard !upper.hasNotedMarks else { return }
        try FSError.wrap { () throws(Errno) in
            try root.keepingStatus(of: root.name, in: upper.root) { () throws(Errno) in
                try upper.noteMarks()
            }
        }
        upper.hasNotedMarks = true
        guard try listing(held, of: root)[RootMarks.evidence] == nil, try !lowerHasEvidence() else { return }
        let directory = try directory(held, root)
        // Where there can be no whiteouts it goes without.
        let made: Void? = try? root.keepingTimes(directory.fd) { () throws(Errno) in
            try upper.makeWhiteout(RootMarks.evidence, in: directory.fd)
        }
        if made != nil { try listing(held, of: root).set(RootMarks.evidence, .whiteout) }
    }

    /// Before a directory gets a mark that hides what is below. Not where other programs read the upper as well, podman
    /// for one: they would take the evidence for a deleted file of their own.
    func noteOpaque(_ held: HeldNames) throws(FSError) {
        if try writable().copiesMetadataOnly { try noteMarks(held) }
    }

    /// Before there is a whiteout, where those are files with an attribute.
    func noteWhiteouts(_ held: HeldNames) throws(FSError) {
        guard try !writable().abilities.hasDevices else { return }
        do throws(FSError) {
            try noteMarks(held)
        } catch {
            // Who deletes to make room is let.
            guard error.isLackOfRoom else { throw error }
        }
    }

    /// Then a whiteout of that name is what it is.
    func lowerHasEvidence() throws(FSError) -> Bool {
        try RootMarks.evidence.withBytes { (name: UnsafeRawBufferPointer) throws(FSError) in
            try lower.lookup(name, in: 0)
        } != nil
    }
}
