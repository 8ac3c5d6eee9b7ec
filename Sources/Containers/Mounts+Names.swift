import Linux
package import SystemPackage

import Snapshots

extension Mounts {
    /// Mounts an image, or the files of a container that has ended or of a snapshot, read-only.
    package func mount(_ name: String, at target: FilePath, options: [String] = Mounts.confining) throws {
        guard let key = try snapshotKey(of: name) else {
            return try mount(image: name, at: target, options: options)
        }
        let snapshot = try store.snapshot(key)
        guard snapshot.kind == .active else {
            return try mount(layers: snapshot.layers, source: name, at: target, options: options)
        }
        try mount(snapshot: key, at: target, options: options + ["ro"])
    }

    /// The same, writable; for an image with a new snapshot, as `mountWritable(image:)` makes it. Returns the key.
    package func mountWritable(
        _ name: String,
        key: String?,
        at target: FilePath,
        options: [String] = Mounts.confining
    ) throws -> String {
        guard key == nil, let found = try snapshotKey(of: name) else {
            return try mountWritable(image: name, key: key, at: target, options: options)
        }
        try mount(snapshot: found, at: target, options: options)
        return found
    }

    /// nil when the name is an image's, or unknown. Failure for a container that runs.
    private func snapshotKey(of name: String) throws -> String? {
        if (try? store.image(named: name)) != nil { return nil }
        let snapshot = try? store.snapshot(name)
        guard let record = try? store.container(named: name) else { return snapshot?.key }
        if let snapshot { try record.check(isNotAlso: snapshot, name) }
        let containers = Containers(store, roots: roots)
        guard try !containers.isRunning(containers.container(record)) else {
            throw Failure(
                "container \(name) is running",
                advice: "mica exec \(name) looks into it; mica stop \(name) ends it.",
                kind: .failedPrecondition
            )
        }
        return record.snapshot
    }
}
