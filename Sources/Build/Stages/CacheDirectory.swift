import Containers
import Digests
import Dockerfile
import Layers
import Linux
import OCI
import Snapshots
import SystemPackage

import Glibc

/// The directory of a `--mount=type=cache`. One that begins with what a stage or an image has is another one where that is
/// something else.
struct CacheDirectory {
    private let build: Build
    private let mount: Instruction.Mount
    /// What it begins with; nil: nothing.
    private let layers: [Digest]?
    private var caches: FilePath { build.store.layout.caches }

    init(_ builder: StageBuilder, _ mount: Instruction.Mount) throws {
        build = builder.build
        self.mount = mount
        layers = try mount.from.map { try builder.layers(from: $0) }
    }

    private var name: String {
        guard let layers else { return SHA256.digest(of: Array(mount.id.utf8)).hex }
        var key = StepKey("CACHE", over: layers)
        key.add("id", [mount.id])
        key.add("source", [TreePath.text(TreePath.names(mount.source.utf8))])
        return key.finish().hex
    }

    /// The directory, with the lock that keeps it: from other builds if it is not to be shared, and from being collected.
    func claim() throws -> (FilePath, OpenFile) {
        let name = name
        for number in 0..<1000 {
            let directory = caches.appending(number == 0 ? name : "\(name).\(number)")
            try naming("create \(directory)") {
                try caches.makeDirectory(mode: 0o700)
                try directory.makeDirectory(mode: 0o700)
            }
            let file = try naming("open \(directory)") { try OwnedFD.open(directory, O_RDONLY | O_DIRECTORY) }
            let operation = mount.sharing == .shared ? LOCK_SH : LOCK_EX
            let wait = mount.sharing == .private ? LOCK_NB : 0
            do {
                try naming("lock \(directory)") { () throws in
                    try file.use { raw in _ = try Errno.retrying { flock(raw, operation | wait) } }
                }
            } catch let failure as Failure {
                guard mount.sharing == .private else { throw failure }
                continue
            }
            // When it was used last.
            let now = timespec(tv_sec: 0, tv_nsec: UTIME_NOW)
            try? file.changeTimes(.itself, access: now, modification: now)
            let data = directory.appending("data")
            if !data.exists { try make(data) }
            return (data, OpenFile(file))
        }
        throw Failure("a thousand builds use the cache \(mount.id)")
    }

    /// Visible only when it is whole; another build may be first.
    private func make(_ data: FilePath) throws {
        let lock = try build.store.lockForChange()
        let new = try build.store.layout.staging("cache")
        do {
            let start = try layers.map { try fill(new, from: $0) }
            try naming("create \(data)") {
                let made = try OwnedFD.open(new, O_RDONLY | O_DIRECTORY)
                try made.changeOwner(
                    .itself,
                    uid: mount.uid ?? start?.uid ?? 0,
                    gid: mount.gid ?? start?.gid ?? 0
                )
                try made.changeMode(.itself, mount.mode ?? start?.mode ?? 0o755)
                do { try new.renameWithoutReplacing(data) } catch let errno as Errno {
                    guard data.exists else { throw errno }
                    try? new.removeTree()
                }
            }
        } catch {
            try? new.removeTree()
            throw error
        }
        _ = consume lock
    }

    /// Returns what the directory is like from which it begins.
    private func fill(_ directory: FilePath, from layers: [Digest]) throws -> TreeAttributes {
        let layout = build.store.layout
        let tree: any FileTree = layers.isEmpty ? EmptyTree() : try LayerFileTree(layers, layout)
        let source = try CopySource.only(mount.source, in: tree)
        guard source.file.isDirectory else {
            throw Failure("--mount=type=cache: \"\(mount.source)\" is not a directory")
        }
        var path = layout.tmp.appending("cache-XXXXXX")
        let spool = OpenFile(
            try naming("create a file in \(layout.tmp)") { try OwnedFD.create(unique: &path) }
        )
        try path.unlink()
        let writer = FileWriter(notAfter: nil) { bytes in
            try naming("write to \(layout.tmp)") { try spool.fd.writeAll(bytes) }
        }
        try Copier.copy(source, alone: writer, time: build.created)
        _ = try writer.finish()
        try Errno.check(spool.fd.use { lseek($0, 0, SEEK_SET) })
        try TreeOutput.unpackAsIs(
            FileSource(spool.fd.duplicate()),
            named: "the cache \(mount.id)",
            into: directory
        )
        return source.file.attributes
    }
}
