import Changes
import Layers
import Linux
import OCI
import SystemPackage

extension Store {
    /// What can be committed and compared: a stack of layers and perhaps an upper over it.
    struct Subject: Sendable {
        /// As the user named it.
        let name: String
        /// diffIDs, bottom to top.
        let layers: [Digest]
        /// The topmost of them is a change, too: it was applied to an active snapshot.
        var isTopApplied = false
        let upper: FilePath?
        /// The image whose config goes on.
        let image: Digest?
        /// diffIDs of what it was made on.
        var below: [Digest] { isTopApplied ? Array(layers.dropLast()) : layers }

        /// Of a container, what its image has declared as volumes is not part of a layer.
        var isContainer = false

        func tree(_ layout: StoreLayout) throws -> MergedTree {
            try MergedTree(chain: ChainStore(layout: layout).index(for: layers), upper: upper, layout: layout)
        }
    }

    /// Makes an image of a container or of an active snapshot: the image it came from plus one layer of what
    /// changed. The cost grows with what changed. The container may be running; each file is then as it was
    /// at some moment. `warn` hears of what no layer can hold.
    package func commit(
        _ name: String,
        as tag: String?,
        options: CommitOptions = CommitOptions(),
        warn: @escaping @Sendable (String) -> Void = { _ in }
    ) throws -> ImageRecord {
        // Before the work, not after it.
        if let tag { _ = try ImageReference(tag) }
        let lock = try lockForChange()
        let subject = try subject(named: name, hasUpper: true)
        guard subject.upper != nil else {
            throw Failure(
                "\(name) is neither a container nor an active snapshot: there is nothing to commit",
                kind: .failedPrecondition
            )
        }
        let parent = try subject.image.flatMap { try image($0) }
        let layer = try layer(of: subject, config: subject.isContainer ? parent?.config : nil, warn: warn)
        let stack = try read { connection in
            try subject.layers.map { try connection.newLayer($0) }
        }
        let config = try options.config(from: parent?.config, adding: layer.diffID, to: subject.layers)
        let record = try add(
            image: NewImage(config: config, layers: stack + [layer], tags: tag.map { [$0] } ?? [])
        )
        _ = consume lock
        return record
    }

    /// Makes the committed snapshot `name` of the active one `key`, which goes. Labels are what is given here.
    /// `parent`: only where the active one has none (it is what its changes are to be relative to). notFound,
    /// alreadyExists; invalidArgument where the parent is not committed, or is another one than it has;
    /// failedPrecondition when `key` is not active, is mounted or a container's, or was written to after a layer had
    /// been applied to it.
    @discardableResult
    package func commit(
        name: String,
        key: String,
        labels: [String: String] = [:],
        parent: String? = nil,
        in space: KeySpace = .own,
        warn: @escaping @Sendable (String) -> Void = { _ in }
    ) throws -> SnapshotRecord {
        let lock = try lockForChange()
        let found = try read {
            try $0.committable(key, as: name, parent: parent, in: space, isLive: self.isLive)
        }
        // Until its directory is gone it can't be mounted: what was written meanwhile would be in no layer.
        let work = try lockMount(of: found.row, key)
        let layer = try layer(of: found, key, warn: warn)
        let record = try write { connection in
            // A process that has noted a mount by now waits for the lock, in vain.
            let now = try connection.committable(key, as: name, parent: parent, in: space) { _ in false }
            guard now == found else {
                throw Failure("snapshot \(key) was changed meanwhile", kind: .failedPrecondition)
            }
            let row = found.row
            try connection.commit(
                row,
                as: name,
                parent: found.parent,
                layer: connection.add(layer),
                labels: labels
            )
            return try connection.snapshotRecord(row)
        }
        try removeDirectory(of: found.row)
        work.stay()
        _ = consume lock
        return record
    }

    /// What an active snapshot is committed as: the layer that was applied to it, or one of what is in its upper.
    private func layer(
        of found: Committable,
        _ key: String,
        warn: @escaping @Sendable (String) -> Void
    ) throws -> NewLayer {
        let upper = layout.snapshot(found.row).appending("upper")
        guard let diffID = found.layer else {
            return try layer(
                of: Subject(name: key, layers: found.below, upper: upper, image: nil),
                warn: warn
            )
        }
        let layers = found.below + [diffID]
        guard try RootDirectory(of: layers, layout).isUntouched(upper) else {
            throw Failure(
                "snapshot \(key) was written to after layer \(diffID) had been applied to it",
                advice:
                    "What was written is in no layer yet: prepare another snapshot on a commit of this one.",
                kind: .failedPrecondition
            )
        }
        try checkLinks(of: layers)
        return try read { try $0.newLayer(diffID) }
    }

    /// As long as it is held, the snapshot can't be mounted. failedPrecondition where it is held already.
    func lockMount(of row: Int64, _ key: String) throws -> OwnedFD {
        let directory = layout.snapshot(row)
        let work = try naming("lock snapshot \(key), \(directory)") { try SnapshotDirectory.lock(directory) }
        guard let work else {
            throw Failure(
                "snapshot \(key) is mounted, or being committed",
                advice: "Unmount it first.",
                kind: .failedPrecondition
            )
        }
        return work
    }

    /// By container, image, or snapshot, in this order. `hasUpper`: an image is meant only where nothing else has the
    /// name. Failure where a container and a snapshot have it, as stores of earlier versions may. What programs have
    /// written by now is in the upper.
    func subject(named name: String, hasUpper: Bool = false) throws -> Subject {
        let named = try found { try snapshot(name) }
        if let container = try found({ try container(named: name) }) {
            if let named { try container.check(isNotAlso: named, name) }
            let snapshot = try snapshot(container.snapshot)
            let upper = layout.snapshot(snapshot.id).appending("upper")
            try writeBack(rootMount(ofContainer: container.id), to: upper)
            return Subject(
                name: name,
                layers: snapshot.layers,
                upper: upper,
                image: container.image,
                isContainer: true
            )
        }
        let isMeant = hasUpper && named?.kind == .active
        if !isMeant, let image = try found({ try image(named: name) }) {
            return Subject(name: name, layers: image.layers, upper: nil, image: image.id)
        }
        guard let snapshot = named else {
            throw Failure("no such container, image or snapshot: \(name)", kind: .notFound)
        }
        let isActive = snapshot.kind == .active
        let upper = isActive ? layout.snapshot(snapshot.id).appending("upper") : nil
        if let upper { try writeBack(writableMount(of: name), to: upper) }
        return Subject(
            name: name,
            layers: snapshot.layers,
            isTopApplied: isActive && snapshot.layer != nil,
            upper: upper,
            image: try read { connection in
                try snapshot.parent.flatMap { parent in
                    try connection.value(
                        """
                        SELECT digest FROM images JOIN snapshots ON snapshots.id = images.top
                        WHERE key = ? ORDER BY images.created DESC, images.id DESC LIMIT 1
                        """,
                        parent
                    )
                }
            }
        )
    }

    private func found<R>(_ body: () throws -> R) throws -> R? {
        do {
            return try body()
        } catch let failure as Failure where failure.kind == .notFound {
            return nil
        }
    }

    /// Turns the upper into a layer that is in its place, on disk, though no row refers to it yet: the caller
    /// holds the store's lock. `config`: of the image whose volumes are left out.
    func layer(
        of subject: Subject,
        config: [UInt8]? = nil,
        notAfter latest: Int64? = nil,
        warn: @escaping @Sendable (String) -> Void
    ) throws -> NewLayer {
        let tree = try subject.tree(layout)
        let volumes = try config.map { try VolumePaths(config: $0, in: tree.chain) } ?? VolumePaths()
        let layer = try tree.stageLayer(
            in: layout,
            without: volumes,
            notAfter: latest,
            named: subject.name,
            warn: warn
        )
        try layer.publish()
        return NewLayer(diffID: layer.diffID, tarSize: layer.tarSize, contentSize: layer.contentSize)
    }
}
