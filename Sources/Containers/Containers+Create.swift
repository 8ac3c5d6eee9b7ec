import Layers
import OCI
import Snapshots

import Glibc
import Linux
import Runner
import SystemPackage

extension Containers {
    /// Failure (failedPrecondition) where this process may not make containers.
    package static func checkPrivileges() throws {
        guard Privileges.canMakeNamespaces else {
            throw Failure(
                "containers can't be run without CAP_SYS_ADMIN, which mounts and namespaces need",
                advice: "Run it as root. What an ordinary user can do: mica mount, and docs/ROOTLESS.md.",
                kind: .failedPrecondition,
                exitCode: ExitStatus.failed.rawValue
            )
        }
    }

    /// Records a container and its snapshot. Nothing runs yet.
    package func create(_ request: RunRequest) throws -> Container {
        // Before anything is made or mounted.
        try Containers.checkPrivileges()
        if let name = request.name { try ContainerName.check(name) }
        reclaim()
        let image = try image(named: request.image)
        let config = try ImageConfig(json: image.config, name: "the config of image \(request.image)")
        let id = ContainerName.randomID()
        let spec = try request.spec(id: id, image: config.config, host: hostname())
        let filter = try request.seccompFilter()
        for volume in spec.volumes { try makeSource(of: volume) }

        let json = try Containers.json(spec)
        // A container that is removed at its end does not outlive the machine: nothing need be durable.
        let durably = !spec.removeAtExit
        let record = try add(
            ContainerRecord(
                id: id,
                name: request.name ?? "",
                image: image.id,
                imageName: request.image,
                snapshot: id,
                created: UnixTime.now,
                config: json
            ),
            durably: durably
        )
        let container = Container(record: record, spec: spec, files: ContainerFiles(id, layout: store.layout))
        try naming("create \(container.files.directory)") {
            try container.files.directory.makeDirectory(mode: 0o700)
        }
        try container.files.replace(container.files.config, json, mode: 0o600, durably: durably)
        if let filter {
            try container.files.replace(container.files.filter, filter.bytes, mode: 0o600, durably: durably)
        }
        tell("create", of: container)
        return container
    }

    private func image(named name: String) throws -> ImageRecord {
        do {
            return try store.image(named: name)
        } catch let failure as Failure where failure.kind == .notFound {
            throw Failure(
                failure.message,
                advice: failure.advice ?? "Load it first: mica load -i FILE.",
                kind: .notFound,
                exitCode: ExitStatus.failed.rawValue
            )
        }
    }

    /// Without a given name, tries random names until one is free.
    private func add(_ new: ContainerRecord, durably: Bool) throws -> ContainerRecord {
        var record = new
        for attempt in 0..<20 {
            if new.name.isEmpty { record.name = ContainerName.random(numbered: attempt > 3) }
            do {
                try store.create(container: record, durably: durably)
                return record
            } catch let failure as Failure where failure.kind == .alreadyExists && new.name.isEmpty {
                continue
            }
        }
        throw Failure("no free name for the container was found", advice: "Give it one: --name NAME.")
    }

    /// As docker does: a missing source becomes a directory.
    private func makeSource(of volume: Volume) throws {
        var status = FileStatus()
        if stat(volume.source, &status) == 0 { return }
        try naming("create the volume \(volume.source)") {
            try FilePath(volume.source).makeDirectories(exactly: 0o755)
        }
    }

    private func hostname() -> String {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "localhost" }
        return name.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "localhost" }
    }
}
