import Glibc
package import Linux
package import Snapshots
package import SystemPackage

extension Mounts {
    /// What an unmount means for the mount's users.
    package enum Users: Sendable {
        /// A mount in use in this mount namespace stays.
        case matter
        /// So does one that another mount namespace shows, or a process there uses: it is only taken out of this one.
        case matterEverywhere
        /// The mount is detached at once (MNT_DETACH), and ends with its last user.
        case goOn
        /// The mount ends for all of them.
        case lose
    }

    /// Unmounts. Unless its users `goOn`, when this returns the mount is gone from other mount namespaces as well,
    /// its data is safe in its upper, and its daemon has ended. Returns the key of the snapshot that stays behind,
    /// for a writable mount.
    ///
    /// `space`: who asks. A mount of another client's is in use wherever it is to be seen, because its users have it
    /// bound elsewhere: only force ends it.
    package func unmount(_ target: FilePath, users: Users = .matter, in space: KeySpace = .own) throws
        -> String?
    {
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
        if try isShown(record, in: .current()) {
            if record.space != space, record.isLive, users != .lose {
                throw Failure(
                    "\(target) is a mount of \(record.space.rawValue)'s, and what it runs may be on it",
                    advice:
                        "Remove the snapshot or the container with its own client, or end it for its users with -f.",
                    kind: .failedPrecondition
                )
            }
            try takeOut(record, users)
        }
        // A detached mount may live on: its row stays until the collector removes it.
        if users == .goOn, !Unmount.waitForDaemon(lock, milliseconds: 200) { return nil }
        if users == .matterEverywhere, let holder = holderElsewhere(of: record) {
            throw Failure(
                "\(target) is in use by \(holder.description), in another mount namespace",
                advice: "It ends with its last user.",
                kind: .failedPrecondition
            )
        }
        guard Unmount.end(lock, killing: users == .lose) else {
            throw Failure(
                "\(target) was unmounted, but its micafs has not ended",
                advice: "mica umount -f \(target) kills it. See \(store.mountLog(record.id)).",
                kind: .failedPrecondition
            )
        }
        try forget(record)
        guard let key = record.snapshot, record.space == .own, let snapshot = try? store.snapshot(key) else {
            return nil
        }
        return snapshot.kind == .active ? key : nil
    }

    /// Whether a mount is visible at its target. Failure when something else is mounted over it.
    func isShown(_ record: MountRecord, in table: MountTable) throws -> Bool {
        guard let device = MountDaemon.device(of: store.mountLock(record.id)) else {
            // Without the daemon's device number, all that is known is whether anything is mounted there.
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
                // A dead mount only gives errors to the processes in it.
                try Unmount.unmount(target, users == .goOn || record.isDead ? .lazy : .polite)
            } catch .resourceBusy where users == .lose {
                // Before the lazy unmount, during which the kernel writes back the data that it still holds.
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

    /// umount(8) neither waits for the daemon to end nor ends the mount in other namespaces.
    func refuse(_ key: String, unlessEnding other: MountRecord) throws {
        guard (try? isShown(other, in: .current())) == false else {
            throw Failure("snapshot \(key) is mounted at \(other.target) already")
        }
        let lock = store.mountLock(other.id)
        if Unmount.waitForDaemon(lock, milliseconds: 200) { return }
        if let holder = holders(of: other).first {
            throw Failure(
                "snapshot \(key) was unmounted from \(other.target), but \(holder.description) still has it",
                advice: "End it in every namespace: mica umount \(other.target)",
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

    /// A process that still has a mount that was taken out of this mount namespace; nil where its micafs ends.
    private func holderElsewhere(of record: MountRecord) -> MountHolder? {
        let lock = store.mountLock(record.id)
        if Unmount.waitForDaemon(lock, milliseconds: 200) { return nil }
        // Another mount may have its number by now: then only its end tells.
        let device = MountDaemon.device(of: lock)
        let isReused = MountTable.current().entries.contains { $0.device == device }
        if isReused, Unmount.waitForDaemon(lock) { return nil }
        // A copy at the same place is what an unshare(1) leaves, and no use.
        return holders(of: record).first { $0.directory != record.target }
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
