import Linux
package import Digests
package import SystemPackage

import Glibc

/// The paths of a store. What the files hold is documented where they are written.
package struct StoreLayout: Sendable {
    package let root: FilePath

    package init(root: FilePath) { self.root = root }

    package var database: FilePath { root.appending("mica.db") }
    /// Held shared to publish and record; exclusively to sweep. What is read for long is staged under a `StagingHold`.
    package var lock: FilePath { root.appending("lock") }
    /// The number of durable changes that the database has had: see `StoreGeneration`.
    package var generation: FilePath { root.appending("generation") }
    /// Room that is freed before something is removed from a full store: see `StoreReserve`.
    package var reserve: FilePath { root.appending("reserve") }
    /// What `fsck --repair` has set apart. mica never reads it.
    package var lost: FilePath { root.appending("lost") }
    package var tmp: FilePath { root.appending("tmp") }
    /// Blobs that are being pulled from a registry, named by their digests: the next pull resumes what is left here.
    package var arrivals: FilePath { root.appending("arrivals") }
    /// Blobs of layers as they came, named by their digests: what a push sends. See `KeptBlobs`.
    package var blobs: FilePath { root.appending("blobs") }
    package var layers: FilePath { root.appending("layers") }
    package var objects: FilePath { root.appending("objects") }
    package var chains: FilePath { root.appending("chains") }
    package var snapshots: FilePath { root.appending("snapshots") }
    package var containers: FilePath { root.appending("containers") }
    /// What happened in the store, for those who follow it. See `EventLog`.
    package var events: FilePath { root.appending("events") }
    /// Directories that commands of builds keep files in (`RUN --mount=type=cache`), by the digest of their IDs. Each is
    /// locked while a command uses it.
    package var caches: FilePath { root.appending("caches") }
    package var mounts: FilePath { root.appending("mounts") }
    /// Locked by the micad that serves the store, which says in it who it is.
    package var service: FilePath { root.appending("micad.lock") }
    /// The standard seccomp filter of the version in use, a cache.
    package var seccomp: FilePath { root.appending("seccomp") }

    /// A directory: index, pack, recipe.
    package func layer(_ diffID: Digest) -> FilePath { layers.appending(diffID.hex) }

    /// A file, read-only. Two levels, so that no directory grows too large.
    package func object(_ digest: Digest) -> FilePath {
        let hex = digest.hex
        return objects.appending(String(hex.prefix(2))).appending(String(hex.dropFirst(2)))
    }

    /// A file: the folded index of a stack of layers.
    package func chain(_ chainID: Digest) -> FilePath { chains.appending(chainID.hex) }

    /// A directory: upper, work.
    package func snapshot(_ id: Int64) -> FilePath { snapshots.appending(String(id)) }
    package func container(_ id: String) -> FilePath { containers.appending(id) }

    /// Creates the directories. Only their owner may look inside: images can hold set-uid programs.
    package func prepare() throws {
        for directory in [root, tmp, layers, objects, chains, snapshots, containers, mounts] {
            try naming("create \(directory)") { try directory.makeDirectories(mode: 0o700) }
        }
        // Made now, so that it need not be made when the disk is full.
        try naming("create \(lock)") { _ = try OwnedFD.open(lock, O_RDWR | O_CREAT, mode: 0o600) }
    }

    /// As `staging`, for a caller that does not hold the store's lock while it works there: no collection takes the
    /// directory before the hold has gone.
    package func heldStaging(_ purpose: String) throws -> (FilePath, StagingHold) {
        let path = lock
        let lock = try naming("lock \(path)") { try FileLock(path, .shared) }
        let directory = try staging(purpose)
        let hold = try naming("lock \(directory)") { try StagingHold(directory) }
        _ = consume lock
        return (directory, hold)
    }

    /// A new file in arrivals/, empty, which no collection takes before the hold has gone.
    package func heldArrival() throws -> (FilePath, StagingHold) {
        let (arrivals, lock) = (arrivals, lock)
        try naming("create \(arrivals)") { try arrivals.makeDirectories(mode: 0o700) }
        let held = try naming("lock \(lock)") { try FileLock(lock, .shared) }
        var path = arrivals.appending("blob-XXXXXX")
        _ = try naming("create a file in \(arrivals)") { try OwnedFD.create(unique: &path) }
        let hold = try naming("lock \(path)") { try StagingHold(path) }
        _ = consume held
        return (path, hold)
    }

    /// Makes a new directory in tmp/ for the caller, to be renamed into place or removed. The caller holds the store's lock
    /// for as long as it is there.
    package func staging(_ purpose: String) throws -> FilePath {
        var template = Array(tmp.appending("\(purpose)-XXXXXX").string.utf8CString)
        Unfinished.begin()
        let isMade = mkdtemp(&template) != nil
        let reason = Errno.last
        Unfinished.made(isMade ? FilePath(platformString: template) : nil)
        guard isMade else { throw Failure("create a directory in \(tmp)", reason) }
        return FilePath(platformString: template)
    }
}
