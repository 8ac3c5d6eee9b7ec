import Glibc
package import Linux
import Snapshots
package import SystemPackage

extension Mounts {
    /// How much a mount's users count.
    package enum Users: Sendable {
        /// One that somebody uses in this mount namespace stays.
        case matter
        /// Out of sight at once; it ends with its last user.
        case goOn
        /// It ends for all of them.
        case lose
    }

    /// Takes a mount away. Unless its users `goOn`, it is gone for other mount namespaces as well when this returns, with
    /// what was written safe in its upper, and its daemon has ended. Returns the key of the snapshot that stays behind, if
    /// it was a writable one.
    package func unmount(_ target: FilePath, users: Users = .matter) throws -> String? {
        let target = resolved(target)
        let records = try store.mounts().filter { $0.target == target }
        guard let record = records.last(where: \.isLive) ?? records.last(where: \.isDead) ?? records.last
        else {
            if MountTable.current().isDead(target) {
                try naming("unmount \(target)") { try Unmount.unmount(target, .lazy) }
                return nil
            }
            throw Failure(
                "\(target) is not a mount of mica's",
                advice: "mica mounts lists them.",
                kind: .notFound
            )
        }
        let lock = store.mountLock(record.id)
        if try isShown(record, in: .current()) { try takeOut(record, users) }
        // Taken out lazily it may live on: the row stays true, and the collector removes it afterwards.
        if users == .goOn, !Unmount.waitForDaemon(lock, milliseconds: 200) { return nil }
        guard Unmount.end(lock, killing: users == .lose) else {
            throw Failure(
                "\(target) was unmounted, but its micafs has not ended",
                advice: "mica umount -f \(target) kills it. See \(store.mountLog(record.id)).",
                kind: .failedPrecondition
            )
        }
        try forget(record)
        guard let key = record.snapshot, let snapshot = try? store.snapshot(key) else { return nil }
        return snapshot.kind == .active ? key : nil
    }

    /// Whether a mount can be seen at its place. Failure where something else is mounted over it.
    func isShown(_ record: MountRecord, in table: MountTable) throws -> Bool {
        guard let device = MountDaemon.device(of: store.mountLock(record.id)) else {
            // Of a daemon that does not say which it is only this is known.
            return table.top(at: record.target) != nil
        }
        guard table.entries.contains(where: { $0.target == record.target && $0.device == device }) else {
            return false
        }
        guard table.top(at: record.target)?.device == device else {
            throw Failure(
                "\(record.target) has something else mounted over it",
                advice: "Unmount that first: umount \(record.target)",
                kind: .failedPrecondition
            )
        }
        return true
    }

    private func takeOut(_ record: MountRecord, _ users: Users) throws {
        let target = record.target
        do {
            do {
                // A dead one can only give errors to whoever is in it.
                try Unmount.unmount(target, users == .goOn || record.isDead ? .lazy : .polite)
            } catch .resourceBusy where users == .lose {
                // Before it is out of the tree, where the kernel writes what it still holds of its data.
                _ = Unmount.end(store.mountLock(record.id), killing: true)
                try Unmount.unmount(target, .lazy)
            }
        } catch .resourceBusy {
            throw Failure(
                "\(target) is in use",
                advice: "End what uses it, take it out of sight with -l, or end it for its users with -f.",
                kind: .failedPrecondition
            )
        } catch {
            throw Failure("unmount \(target)", error)
        }
    }

    /// umount(8) does not wait for the daemon to end, and does not end what other namespaces see.
    func refuse(_ key: String, unlessEnding other: MountRecord) throws {
        guard (try? isShown(other, in: .current())) == false else {
            throw Failure("snapshot \(key) is mounted at \(other.target) already")
        }
        let lock = store.mountLock(other.id)
        if Unmount.waitForDaemon(lock, milliseconds: 200) { return }
        if let holder = holders(of: other).first {
            throw Failure(
                "snapshot \(key) was unmounted from \(other.target), but \(holder.description) still has it",
                advice: "End it for everybody: mica umount \(other.target)",
                kind: .failedPrecondition
            )
        }
        if Unmount.waitForDaemon(lock) { return }
        throw Failure(
            "snapshot \(key) was unmounted from \(other.target), but its micafs has not ended",
            advice: "mica umount -f \(other.target) kills it.",
            kind: .failedPrecondition
        )
    }

    func holders(of record: MountRecord) -> [MountHolder] {
        MountDaemon.device(of: store.mountLock(record.id)).map { MountHolder.all(of: $0) } ?? []
    }
}

extension MountHolder {
    /// `process 12 (sleep), at /mnt`
    package var description: String {
        "process \(pid) (\(command))" + (directory.map { ", at \($0)" } ?? "")
    }
}
