import Layers
import Digests
package import Snapshots
package import SystemPackage

import Glibc
import Linux

/// Mounts made for a user: images to look at, snapshots to write to.
package struct Mounts: Sendable {
    /// An image's set-id programs and device nodes are its maker's choice, and every user who can reach the mount
    /// could use them, with root's privileges. A user who trusts the image leaves these options out.
    package static let confining = ["nosuid", "nodev"]

    let store: Store
    let roots: any RootMount

    package init(_ store: Store) { self.init(store, roots: DaemonMount(store.layout)) }

    package init(_ store: Store, roots: any RootMount) {
        self.store = store
        self.roots = roots
    }

    /// Shows an image at `target`, read-only. `options`: as in RootTree.
    package func mount(image name: String, at target: FilePath, options: [String] = Mounts.confining) throws {
        try mount(layers: store.image(named: name).layers, source: name, at: target, options: options)
    }

    func mount(layers: [Digest], source: String, at target: FilePath, options: [String]) throws {
        let target = try directory(target)
        let tree = RootTree(layers: layers, snapshot: nil, source: source, options: options)
        try mount(tree, of: tree.chainID.map { "\($0)" }, at: target)
    }

    /// Mounts the active snapshot `key`, writable.
    package func mount(snapshot key: String, at target: FilePath, options: [String] = Mounts.confining) throws
    {
        let target = try directory(target)
        let snapshot = try store.snapshot(key)
        guard snapshot.kind == .active else {
            throw Failure("snapshot \(key) is \(snapshot.kind.name): only an active one can be written to")
        }
        for other in try store.mounts() where other.isLive && other.isOf(key) {
            try refuse(key, unlessEnding: other)
        }
        let tree = RootTree(
            layers: snapshot.layers,
            snapshot: store.layout.snapshot(snapshot.id),
            source: key,
            options: options
        )
        try mount(tree, of: key, at: target)
    }

    /// Mounts a new active snapshot of an image, or the existing one named `key`, which has to be of that image.
    /// Returns the key.
    package func mountWritable(
        image name: String,
        key: String?,
        at target: FilePath,
        options: [String] = Mounts.confining
    ) throws -> String {
        let target = try directory(target)
        let image = try store.image(named: name)
        if let key, let known = try? store.snapshot(key) {
            guard known.layers == image.layers else {
                throw Failure(
                    "snapshot \(key) was not made of image \(name)",
                    advice: "Choose another --name."
                )
            }
            try mount(snapshot: key, at: target, options: options)
            return key
        }
        let top = ChainID.all(of: image.layers).last.map { "\($0)" }
        let new = key ?? "mount-\(ContainerName.randomID().prefix(12))"
        try? store.removeUnstarted()
        // The collector must not look between the snapshot and its mount.
        let change = try store.lockForChange()
        defer { _ = change.raw }
        // A snapshot without a user's name is garbage if this process is killed before the mount exists.
        try store.prepare(new, parent: top, labels: key == nil ? [Store.startingLabel: ""] : [:])
        do {
            try mount(snapshot: new, at: target, options: options)
            if key == nil { try? store.noteStart(of: new) }
        } catch {
            try? store.remove(new)
            throw error
        }
        return new
    }

    func forget(_ record: MountRecord) throws {
        try store.removeMount(record.id)
        try? store.mountLog(record.id).unlink()
    }

    func mount(
        _ tree: RootTree,
        of snapshot: String?,
        in space: KeySpace = .own,
        at target: FilePath
    ) throws {
        try checkThatConfinementCanBeLeftOut(tree.options, at: target)
        let new = try store.addMount(of: snapshot, in: space, source: tree.source, at: target)
        let id = new.record.id
        do {
            let log = store.mountLog(id)
            try roots.mount(tree, at: target, lock: new.lock.raw, log: log) {}
        } catch {
            try? store.removeMount(id)
            throw error
        }
        _ = consume new
    }

    /// fusermount3 always adds nosuid and nodev for ordinary users, so a request without them must fail.
    private func checkThatConfinementCanBeLeftOut(_ options: [String], at target: FilePath) throws {
        guard geteuid() != 0, let missing = Mounts.confining.first(where: { !options.contains($0) }) else {
            return
        }
        throw Failure(
            "mount at \(target): \(missing.dropFirst(2)) is for root; what other users mount is \(missing)",
            advice: "Leave the option out.",
            kind: .failedPrecondition
        )
    }

    /// The target as the kernel will name it.
    private func directory(_ target: FilePath) throws -> FilePath {
        let path = resolved(target)
        // Reading the mount table takes longer than asking the mount.
        if MountTable.isOrphan(path), MountTable.current().isDead(path) {
            throw Failure(
                "mount at \(target): what is mounted there is dead, because its micafs was killed",
                advice: "Unmount it first: mica umount \(target)",
                kind: .failedPrecondition
            )
        }
        let status = try naming("mount at \(target)") { try path.status() }
        guard status.st_mode & S_IFMT == S_IFDIR else { throw Failure("mount at \(target)", .notDirectory) }
        return path
    }

    /// Absolute and without links; unchanged where it can't be resolved (a dead mount answers nothing).
    func resolved(_ target: FilePath) -> FilePath {
        let known = target.withPlatformString { realpath($0, nil) }
        if let known {
            defer { free(known) }
            return FilePath(platformString: known)
        }
        if let name = target.lastComponent, name.kind == .regular {
            let parent = target.removingLastComponent()
            let directory = (parent.isEmpty ? "." : parent).withPlatformString { realpath($0, nil) }
            if let directory {
                defer { free(directory) }
                return FilePath(platformString: directory).appending(name)
            }
        }
        guard !target.isAbsolute, let current = getcwd(nil, 0) else { return target.lexicallyNormalized() }
        defer { free(current) }
        return FilePath(platformString: current).pushing(target).lexicallyNormalized()
    }
}
