import Containers
import Layers
import Linux
import Snapshots
import SystemPackage

import Glibc

extension ContainerdSnapshots {
    /// Precondition: the key is locked.
    func served(_ key: String, _ record: SnapshotRecord) throws -> [ServedMount] {
        guard record.kind != .committed else {
            throw Failure(
                "snapshot \(key) is committed: only active ones and views can be mounted",
                kind: .failedPrecondition
            )
        }
        if record.kind == .active, isOnlyUnpacked(key, record) { return [helperMount(record)] }
        let target = place(of: record)
        try naming("create \(target)") { try target.makeDirectory(mode: 0o700) }
        let shown = try mounts.hold(
            snapshot: record,
            at: target,
            options: SnapshotLabels.mountOptions(record.labels)
        )
        let access = record.kind == .view ? "ro" : "rw"
        return [ServedMount(type: "bind", source: shown.string, options: ["rbind", access])]
    }

    /// Whether a snapshot is there to have a layer unpacked into it, and is committed then: mounting it would be for
    /// nothing where the diff service does that.
    private func isOnlyUnpacked(_ key: String, _ record: SnapshotRecord) -> Bool {
        // The label is only given where the client fetches as well; what it calls such a snapshot is always so.
        let name = key.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false).last ?? ""
        return record.labels[SnapshotLabels.chain] != nil || name.hasPrefix("extract-")
    }

    /// A mount that is made by who wants it, with `micad` as mount(8)'s helper.
    private func helperMount(_ record: SnapshotRecord) -> ServedMount {
        ServedMount(
            type: ContainerdSnapshots.helper,
            source: SnapshotNumber(id: record.id).text,
            options: ["rw", "root=\(space.store.layout.root)"]
        )
    }

    func place(of record: SnapshotRecord) -> FilePath { directory.appending(String(record.id)) }

    /// Ends the mounts of a snapshot. failedPrecondition while it is mounted elsewhere.
    func end(_ record: SnapshotRecord) throws {
        try mounts.endHeld(snapshot: record)
        let place = place(of: record)
        // What is not empty is another service's mount.
        if place.withPlatformString({ rmdir($0) }) == -1, Errno.last != .noSuchFileOrDirectory {
            throw Failure("remove \(place)", .last)
        }
    }

    /// Directories that a crash has left, of snapshots that are not there.
    func removeUnusedDirectories() throws {
        // The names first: of what is made meanwhile, the row comes before the directory.
        let names = try naming("read \(directory)") { try directory.names() }
        let known = Set(try space.all().map { String($0.id) })
        for name in names {
            let name = String(decoding: name, as: UTF8.self)
            guard !known.contains(name) else { continue }
            // rmdir(2) alone: where something is mounted it stays.
            _ = directory.appending(name).withPlatformString { rmdir($0) }
        }
    }
}
