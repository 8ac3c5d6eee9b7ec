import Layers
import Linux
import OCI
import SystemPackage

import Glibc

/// Removes the files of the store that no row stands for. What fails is noted, and the rest goes on.
struct Sweep {
    private let plan: CollectionPlan
    private let layout: StoreLayout
    private let isDryRun: Bool
    private let keepsArrivals: Bool
    private let keepsCaches: Bool
    private(set) var collection = Collection()

    init(
        _ plan: CollectionPlan,
        layout: StoreLayout,
        isDryRun: Bool,
        keepsArrivals: Bool,
        keepsCaches: Bool
    ) {
        self.plan = plan
        self.layout = layout
        self.isDryRun = isDryRun
        self.keepsArrivals = keepsArrivals
        self.keepsCaches = keepsCaches
        collection.verdicts = plan.verdicts
    }

    mutating func run() {
        // Objects first: they are what the indexes of layers say, while these are there.
        sweepObjects()
        let layers = Set(plan.layers.map(\.hex))
        sweep(layout.layers, "layers") { layers.contains($0) }
        let plan = plan
        if layout.blobs.exists { sweep(layout.blobs, "kept blobs") { plan.blobs.contains($0) } }
        sweep(layout.chains, "chains") { plan.chains.contains($0) }
        sweepSnapshots()
        // A lock file, and the daemon's log beside it.
        sweep(layout.mounts, "mounts") {
            plan.mounts.contains($0.split(separator: ".").first.map(String.init) ?? $0)
        }
        // What a load, a pull or an import works with stays.
        let layout = layout
        sweep(layout.tmp, "temporary files") { StagingHold.isHeld(layout.tmp.appending($0)) }
        // The rest of these is for a next time, and can be had again.
        if !keepsArrivals, layout.arrivals.exists {
            sweep(layout.arrivals, "parts of blobs") { StagingHold.isHeld(layout.arrivals.appending($0)) }
        }
        sweepContainers()
        sweepCaches()
    }

    /// Of commands of builds: those that were not used for as long as a step is kept. One that is used is locked.
    private mutating func sweepCaches() {
        guard layout.caches.exists else { return }
        let oldest = now() - Store.stepLifetime
        let (layout, keepsCaches) = (layout, keepsCaches)
        sweep(layout.caches, "caches of commands") { name in
            let path = layout.caches.appending(name)
            guard let used = try? path.status().st_mtim, let file = try? OwnedFD.open(path, O_RDONLY) else {
                return true
            }
            guard file.use({ flock($0, LOCK_EX | LOCK_NB) }) == 0 else { return true }
            return keepsCaches && Int64(used.tv_sec) * 1_000_000_000 > oldest
        }
    }

    /// An object lives if any live layer's index lists it. If one index can't be read, it is not known what it
    /// lists: then all objects stay.
    private mutating func sweepObjects() {
        var live: Set<Digest> = []
        let chains = ChainStore(layout: layout)
        do {
            for diffID in plan.layers {
                let index = try chains.layer(diffID)
                for number in 0..<index.objectCount { live.insert(try index.object(number).digest) }
            }
        } catch {
            let why = "no objects were freed, because a layer that is in use can't be read"
            collection.problems.append("\(why): \(error)")
            return
        }
        for shard in names(in: layout.objects) {
            sweep(layout.objects.appending(shard), "objects") { name in
                // What is no object's name has no business here.
                Digest(hex: shard + name).map { live.contains($0) } ?? false
            }
        }
    }

    /// One that no row stands for may be served all the same, by a micafs that was started by hand or has not ended.
    private mutating func sweepSnapshots() {
        let plan = plan
        var busy: Set<String> = []
        for name in names(in: layout.snapshots) where !plan.snapshots.contains(name) {
            let directory = layout.snapshots.appending(name)
            guard SnapshotDirectory.isInUse(directory) else { continue }
            busy.insert(name)
            collection.problems.append("\(directory) belongs to no snapshot, but is mounted")
        }
        sweep(layout.snapshots, "snapshots") { plan.snapshots.contains($0) || busy.contains($0) }
    }

    private mutating func sweepContainers() {
        // A directory in which something is mounted is left alone: it could not go as a whole.
        let plan = plan
        let prefix = layout.containers.string + "/"
        var busy: Set<String> = []
        for point in MountTable.current().targets(below: layout.containers) {
            if let id = point.string.dropFirst(prefix.count).split(separator: "/").first {
                busy.insert(String(id))
            }
        }
        for id in busy.sorted() where !plan.containers.contains(id) {
            collection.problems.append(
                "\(prefix)\(id) belongs to no container, but something is mounted there"
            )
        }
        sweep(layout.containers, "containers") { plan.containers.contains($0) || busy.contains($0) }
    }

    private mutating func sweep(_ directory: FilePath, _ what: String, keeping isLive: (String) -> Bool) {
        for name in names(in: directory) where !isLive(name) {
            let path = directory.appending(name)
            do {
                let bytes = try DiskUsage.of(path).bytes
                if !isDryRun { try naming("remove \(path)") { try remove(name, in: directory) } }
                collection.bytes += bytes
                collection.removed[what, default: 0] += 1
            } catch {
                let mounted = MountTable.current().targets(below: path).map { "\n\($0) is mounted" }
                collection.problems.append("\(error)\(mounted.joined())")
            }
        }
    }

    /// A directory leaves its place whole before its files go: one with half of its files would be taken for
    /// the layer it was by a process that publishes the same layer after a collector that was killed.
    private func remove(_ name: String, in directory: FilePath) throws(Errno) {
        let path = directory.appending(name)
        let reserve = StoreReserve(layout)
        guard directory != layout.tmp, try path.status().st_mode & S_IFMT == S_IFDIR else {
            return try reserve.lending { () throws(Errno) in try path.removeTree() }
        }
        let doomed = layout.tmp.appending("removed-\(name)")
        try reserve.lending { () throws(Errno) in
            if doomed.exists { try doomed.removeTree() }
            try path.rename(to: doomed)
        }
        try reserve.lending { () throws(Errno) in try doomed.removeTree() }
    }

    /// Sorted, so that two runs do the same. Everything the store makes has a name in ASCII.
    private mutating func names(in directory: FilePath) -> [String] {
        do {
            return try naming("read \(directory)") { try directory.names() }
                .map { String(decoding: $0, as: UTF8.self) }.sorted()
        } catch {
            collection.problems.append("\(error)")
            return []
        }
    }
}
