package import Linux
package import Snapshots

extension Mounts {
    /// A mount on record, and where it is to be seen.
    package struct Listed: Sendable {
        package let record: MountRecord
        /// Whether this mount namespace shows it at its place.
        package let isHere: Bool
        /// Where it does not: who keeps it alive. Empty: its daemon is about to end, or hangs.
        package let holders: [MountHolder]
    }

    /// All that are there, dead ones too, oldest first. Rows of mounts that are gone are removed on the way.
    package func all() throws -> [Listed] {
        let records = try store.mounts()
        for record in records where !record.isLive && !record.isDead { try forget(record) }
        let table = MountTable.current()
        return records.filter { $0.isLive || $0.isDead }.map { record in
            // What something else is mounted over is here nevertheless.
            let isHere = (try? isShown(record, in: table)) ?? true
            return Listed(record: record, isHere: isHere, holders: isHere ? [] : holders(of: record))
        }
    }
}
