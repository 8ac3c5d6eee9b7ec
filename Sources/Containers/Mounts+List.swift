package import Linux
package import Snapshots

extension Mounts {
    /// A recorded mount, and where it can be seen.
    package struct Listed: Sendable {
        package let record: MountRecord
        /// Whether it is visible at its target in this mount namespace.
        package let isHere: Bool
        /// If not: the processes that keep it alive. Empty: its daemon is about to end, or hangs.
        package let holders: [MountHolder]
    }

    /// All existing mounts, dead ones too, oldest first. Removes the rows of mounts that are gone.
    package func all() throws -> [Listed] {
        let records = try store.mounts()
        for record in records where !record.isLive && !record.isDead { try forget(record) }
        let table = MountTable.current()
        return records.filter { $0.isLive || $0.isDead }.map { record in
            // A mount hidden by another one on top of it counts as here.
            let isHere = (try? isShown(record, in: table)) ?? true
            return Listed(record: record, isHere: isHere, holders: isHere ? [] : holders(of: record))
        }
    }
}
