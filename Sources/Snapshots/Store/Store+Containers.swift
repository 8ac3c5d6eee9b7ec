import Digests
import Layers
import Linux
import SystemPackage

extension Store {
    /// Records a container over an active snapshot that `prepare` made. Failure (alreadyExists) when the name
    /// or ID is taken, and says by whom.
    package func add(container: ContainerRecord) throws {
        try write { try $0.add(container) }
    }

    /// Prepares the snapshot `container.snapshot` on its image and records the container, in one transaction:
    /// a process that is killed leaves both or neither. Failures are those of `prepare` and `add`.
    ///
    /// `durably`: on disk when this returns. A container that goes when its command has ended need not be: a stop
    /// of the machine ends it, and what is left of it then, a row or a directory without the other, is removed as
    /// what every crash leaves is.
    package func create(container: ContainerRecord, durably: Bool = true) throws {
        let lock = try lockForChange()
        let layers = try read { connection in
            guard let image = try connection.imageRow(container.image) else {
                throw Failure.noSuchImage("\(container.image)")
            }
            return try connection.imageRecord(image).layers
        }
        let staged = try SnapshotDirectory.stage(layout, over: layers, durably: durably)
        do {
            try write(durably: durably) { connection in
                let top = ChainID.all(of: layers).last.map { "\($0)" }
                let parent = try connection.parent(top, of: container.snapshot)
                let row = try connection.addSnapshot(container.snapshot, .active, parent: parent, labels: [:])
                try connection.add(container)
                try SnapshotDirectory.publish(staged, as: row, in: layout, durably: durably)
            }
        } catch {
            try? staged.removeTree()
            throw error
        }
        _ = consume lock
    }

    /// By name, ID, or a prefix of an ID that only one container has. Failure (notFound) otherwise.
    package func container(named name: String) throws -> ContainerRecord {
        try read { connection in
            let exact = try connection.containers("containers.name = ?1 OR containers.id = ?1", name)
            if let container = exact.first { return container }
            let isHex = !name.isEmpty && name.utf8.allSatisfy { "0123456789abcdef".utf8.contains($0) }
            let matches = isHex ? try connection.containers("containers.id GLOB ?1 || '*'", name) : []
            guard matches.count < 2 else {
                throw Failure(
                    "\(name) is the beginning of more than one container's ID",
                    advice: "Give more digits.",
                    kind: .invalidArgument
                )
            }
            guard let container = matches.first else {
                throw Failure("no such container: \(name)", kind: .notFound)
            }
            return container
        }
    }

    /// Newest first.
    package func containers() throws -> [ContainerRecord] {
        try read { try $0.containers("?1 = ''", "") }
    }

    /// Removes the container and its snapshot, rows in one transaction and then the snapshot's directory.
    /// What is in `StoreLayout.container(id)` is the caller's to remove. One that is gone is fine.
    ///
    /// `unlisted` is called in between: no process finds the container any more, and its files are still there.
    /// Returns whether the container was there.
    @discardableResult
    package func removeContainer(_ id: String, durably: Bool = true, unlisted: () -> Void = {}) throws
        -> Bool
    {
        let lock = try lockForChange()
        var wasThere = false
        let freed = try write(durably: durably, freeing: true) { connection -> Int64? in
            guard
                let snapshot: Int64 = try connection.value("SELECT snapshot FROM containers WHERE id = ?", id)
            else { return nil }
            wasThere = true
            try connection.run("DELETE FROM containers WHERE id = ?", id)
            return try connection.removeUnusedSnapshot(snapshot) ? snapshot : nil
        }
        unlisted()
        if let freed { try removeDirectory(of: freed) }
        _ = consume lock
        return wasThere
    }
}

extension Connection {
    /// `new`: the ID of a container that is to be added with it; empty for one that is there.
    func checkThatNameIsFree(_ name: String, for new: String = "") throws {
        if let id: String = try value("SELECT id FROM containers WHERE name = ? OR id = ?", name, new) {
            throw Failure(
                "the container name \"\(name)\" is in use by container \(id.prefix(12))",
                advice: "Choose another name, or remove that container: mica rm \(name)",
                kind: .alreadyExists
            )
        }
        guard try snapshotRow(name) == nil else {
            throw Failure(
                "the name \"\(name)\" is in use by a snapshot",
                advice: "Choose another name: commands that take both would not know which is meant.",
                kind: .alreadyExists
            )
        }
    }

    fileprivate func add(_ container: ContainerRecord) throws {
        try checkThatNameIsFree(container.name, for: container.id)
        guard let image = try imageRow(container.image) else {
            throw Failure.noSuchImage("\(container.image)")
        }
        guard let snapshot = try snapshotRow(container.snapshot) else {
            throw Failure.noSuchSnapshot(container.snapshot)
        }
        try run(
            """
            INSERT INTO containers (id, name, image, image_name, snapshot, created, config)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            """,
            container.id,
            container.name,
            image,
            container.imageName,
            snapshot,
            container.created,
            container.config
        )
    }

    fileprivate func containers(_ condition: String, _ name: String) throws -> [ContainerRecord] {
        try rows(
            """
            SELECT containers.id, name, digest, image_name, key, containers.created, containers.config
            FROM containers JOIN images ON images.id = image JOIN snapshots ON snapshots.id = snapshot
            WHERE \(condition) ORDER BY containers.created DESC, containers.id
            """,
            name
        ) {
            ContainerRecord(
                id: try $0[0],
                name: try $0[1],
                image: try $0[2],
                imageName: try $0[3],
                snapshot: try $0[4],
                created: try $0[5],
                config: try $0[6]
            )
        }
    }
}
