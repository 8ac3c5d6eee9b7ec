package import Linux

/// From an inode of a chain back to its names.
extension LayerIndex {
    /// Calls `body` with each name of `number`, in the order of slots, and with its directory, until it returns
    /// false; not for the root. However large the tree is, it looks at nothing but these names.
    package func forEachName(
        of number: UInt32,
        _ body: (_ directory: UInt32, _ entry: IndexEntry) throws(FSError) -> Bool
    ) throws(FSError) {
        let record = try inode(number)
        // Layer indexes do not have this information.
        guard kind == .chain else { throw .corruptIndex(offset: UInt64(number)) }
        guard number != 0 else { return }
        if record.isDirectory || record.entryCount == 0 {
            let place = record.isDirectory ? record.content : UInt64(record.firstEntry)
            guard let slot = UInt32(exactly: place) else { throw .corruptIndex(offset: UInt64(number)) }
            _ = try body(record.parent, name(of: number, slot))
            return
        }
        for position in 0..<record.entryCount {
            let (link, isTooLarge) = record.firstEntry.addingReportingOverflow(position)
            guard !isTooLarge else { throw .corruptIndex(offset: UInt64(number)) }
            let (slot, directory) = try self.link(link)
            guard try body(directory, name(of: number, slot)) else { return }
        }
    }

    private func name(of number: UInt32, _ slot: UInt32) throws(FSError) -> IndexEntry {
        let entry = try entry(slot)
        guard entry.inode == number else { throw .corruptIndex(offset: UInt64(number)) }
        return entry
    }
}
