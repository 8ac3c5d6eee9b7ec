package import Digests
package import SystemPackage

/// What a mount shows.
package struct RootTree: Sendable {
    /// diffIDs, bottom to top.
    package let layers: [Digest]
    /// The chainID of all of them; nil without layers.
    package let chainID: Digest?
    /// The directory of an active snapshot (with `upper` and `work` in it); nil: read-only.
    package var snapshot: FilePath?
    /// The source in /proc/self/mountinfo.
    package var source: String
    /// micafs's mount options: nosuid, nodev, noexec, noatime, relatime, and how owners are mapped. None unless
    /// given: a container's root needs its set-id programs, and is below a directory that only the store's owner may
    /// enter.
    package var options: [String]
    /// The mount goes with the thread that makes it.
    package var endsWithCaller = false

    package init(layers: [Digest], snapshot: FilePath?, source: String, options: [String] = []) {
        self.layers = layers
        chainID = ChainID.all(of: layers).last
        self.snapshot = snapshot
        self.source = source
        self.options = options
    }
}

/// Mounts trees. The seam between containers and the filesystem: micafs in production.
package protocol RootMount: Sendable {
    /// Returns once `target` shows the tree. `lock` is a descriptor with an flock(2), which the daemon that serves
    /// the mount holds until the mount is gone. Its messages go to the file `log`. `meanwhile` is work of the caller
    /// that needs no mount yet; when it throws, so does this, and the mount may exist.
    func mount(
        _ tree: RootTree,
        at target: FilePath,
        lock: CInt,
        log: FilePath,
        meanwhile: () throws -> Void
    ) throws
}
