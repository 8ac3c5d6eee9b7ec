import Linux
import Overlay
import SystemPackage

/// Telling an upper from a damaged copy of it: tar, cp and rsync by default preserve neither holes nor extended
/// attributes, and with them lose what the union has recorded there.
extension UnionTree {
    /// Records the maps of partial files when no process changes files any more. A copy that is made from now on can
    /// be told from a damaged one.
    func sealFiles() {
        for node in unsealed.take() {
            guard case .partial(let data) = node.data, names.locked({ !node.isOrphan }) else { continue }
            // Where the map can't be recorded (the disk is full), only a copy suffers.
            try? partial(node, data).seal()
        }
    }

    // MARK: - Marks at all

    /// Records that the upper has marks, before the first mark without which it would show something else.
    /// Precondition: `names` is not locked.
    func noteMarks() throws(FSError) {
        guard try !writable().hasNotedMarks else { return }
        let held = names.lock()
        defer { names.unlock() }
        try noteMarks(held)
    }

    /// The same with `names` locked.
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
        // Without whiteouts there is no such evidence.
        let made: Void? = try? root.keepingTimes(directory.fd) { () throws(Errno) in
            try upper.makeWhiteout(RootMarks.evidence, in: directory.fd)
        }
        if made != nil { try listing(held, of: root).set(RootMarks.evidence, .whiteout) }
    }

    /// Called before a directory gets a mark that hides what is below. Does nothing where other programs, such as
    /// podman, read the upper as well: they would take the evidence for a deleted file of their own.
    func noteOpaque(_ held: HeldNames) throws(FSError) {
        if try writable().copiesMetadataOnly { try noteMarks(held) }
    }

    /// Called before a whiteout is made, where whiteouts are files with an attribute.
    func noteWhiteouts(_ held: HeldNames) throws(FSError) {
        guard try !writable().abilities.hasDevices else { return }
        do throws(FSError) {
            try noteMarks(held)
        } catch {
            // A user who deletes files to make room is not refused.
            guard error.isLackOfRoom else { throw error }
        }
    }

    /// Whether the lower has a file of the evidence's name, of which a whiteout says nothing then.
    func lowerHasEvidence() throws(FSError) -> Bool {
        try RootMarks.evidence.withBytes { (name: UnsafeRawBufferPointer) throws(FSError) in
            try lower.lookup(name, in: 0)
        } != nil
    }
}
