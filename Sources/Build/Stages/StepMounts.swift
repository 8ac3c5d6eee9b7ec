import Containers
import Digests
import Dockerfile
import Layers
import Linux
import Runner
import Snapshots
import SystemPackage

import Glibc

/// The `--mount`s of a `RUN`.
struct StepMounts {
    private let builder: StageBuilder
    private var mounts: [(mount: Instruction.Mount, target: String, context: ContextPart?)] = []
    /// What the step's result depends on. No secret is part of it, nor what is in a cache.
    private(set) var key: [String] = []
    /// Of caches that no other step is to use meanwhile.
    private(set) var locks: [OpenFile] = []

    /// What of the context is mounted, as a layer of its own.
    private struct ContextPart {
        var source: CopySource
        var key: Digest
    }

    init(_ builder: StageBuilder) { self.builder = builder }

    private var build: Build { builder.build }

    mutating func add(_ mount: Instruction.Mount) throws {
        var target = mount.target
        if !target.isEmpty || mount.kind != .secret {
            target = builder.absolute(mount.target)
            while target.count > 1, target.hasSuffix("/") { target.removeLast() }
            guard target != "/" else {
                throw DockerfileError("--mount=type=\(mount.kind.rawValue): invalid mount target \"/\"")
            }
        }
        var part: ContextPart?
        var fields = [mount.kind.rawValue, target, mount.source, "\(mount.isReadOnly)"]
        switch mount.kind {
        case .bind:
            if let from = mount.from {
                fields.append("\(ChainID.all(of: try builder.layers(from: from)).last.map { "\($0)" } ?? "")")
            } else {
                let found = try contextPart(mount.source)
                fields.append("\(found.key)")
                part = found
            }
        case .cache:
            fields.append(mount.id)
            if let from = mount.from {
                fields.append(ChainID.all(of: try builder.layers(from: from)).last.map { "\($0)" } ?? "")
            } else if !TreePath.names(mount.source.utf8).isEmpty {
                throw DockerfileError(
                    "--mount=type=cache: source=\(mount.source) wants from=, a stage or an image"
                )
            }
        case .tmpfs: fields.append("\(mount.size)")
        case .secret:
            guard build.request.secrets[mount.id] != nil else {
                guard !mount.isRequired else {
                    throw Failure(
                        "the secret \(mount.id) was not given",
                        advice: "Give it: mica build --secret id=\(mount.id),src=FILE"
                    )
                }
                key.append("no secret \(mount.id)")
                return
            }
            fields = [mount.kind.rawValue, target, mount.id, mount.variable ?? ""]
        }
        key += fields
        mounts.append((mount, target, part))
    }

    /// Once the step is to run: makes what is to be mounted.
    mutating func complete(_ request: inout StepRequest) throws {
        for (mount, target, part) in mounts {
            switch mount.kind {
            case .bind:
                let layers: [Digest]
                var source = mount.source
                if let part {
                    layers = [try layer(of: part)]
                    source =
                        part.source.file.isDirectory
                        ? "/" : "/\(String(decoding: part.source.base, as: UTF8.self))"
                } else {
                    layers = try builder.layers(from: mount.from ?? "")
                }
                request.trees.append(
                    .init(layers: layers, source: source, destination: target, readOnly: mount.isReadOnly)
                )
            case .cache:
                request.volumes.append(
                    Volume(
                        source: try directory(of: mount).string,
                        destination: target,
                        readOnly: mount.isReadOnly
                    )
                )
            case .tmpfs:
                request.temporary.append(
                    TemporaryFilesystem(
                        destination: target,
                        size: mount.size > 0 ? UInt64(clamping: mount.size) : nil
                    )
                )
            case .secret: try addSecret(mount, target, to: &request)
            }
        }
    }

    // MARK: - The context

    private func contextPart(_ source: String) throws -> ContextPart {
        let source = try CopySource.only(source, in: build.context)
        let writer = FileWriter(notAfter: nil, to: nil)
        try Copier.copy(source, alone: writer, time: build.created)
        var key = StepKey("CONTEXT", over: nil)
        key.add("content", ["\(try writer.finish())", "\(source.file.isDirectory)"])
        return ContextPart(source: source, key: key.finish())
    }

    private func layer(of part: ContextPart) throws -> Digest {
        if let known = try build.store.step(part.key, over: []) { return known.layer }
        let lock = try build.store.lockForChange()
        let layer = try builder.stage("the context") { sink in
            let writer = FileWriter(notAfter: build.epoch, to: sink)
            try Copier.copy(part.source, alone: writer, time: build.created)
            _ = try writer.finish()
        }
        try build.store.record(
            step: part.key,
            "the context, mounted",
            of: layer,
            over: [],
            created: build.moment
        )
        _ = consume lock
        return layer.diffID
    }

    // MARK: - Caches

    private mutating func directory(of mount: Instruction.Mount) throws -> FilePath {
        let (directory, lock) = try CacheDirectory(builder, mount).claim()
        locks.append(lock)
        return directory
    }

    // MARK: - Secrets

    private func addSecret(
        _ mount: Instruction.Mount,
        _ target: String,
        to request: inout StepRequest
    ) throws {
        guard let secret = build.request.secrets[mount.id] else { return }
        let bytes = try secret.bytes(named: mount.id)
        if let variable = mount.variable {
            request.process.environment = Environment.merging(
                request.process.environment,
                ["\(variable)=\(String(decoding: bytes, as: UTF8.self))"]
            )
        }
        guard !target.isEmpty else { return }
        request.files.append(
            .init(
                bytes,
                destination: target,
                mode: mount.mode ?? 0o400,
                uid: mount.uid ?? 0,
                gid: mount.gid ?? 0
            )
        )
    }
}

extension BuildSecret {
    private static let limit = 500 << 10

    fileprivate func bytes(named id: String) throws -> [UInt8] {
        switch self {
        case .file(let path):
            return try naming("read the secret \(id), \(path)") {
                try OwnedFD.open(path, O_RDONLY).contents(limit: BuildSecret.limit)
            }
        case .variable(let name):
            guard let value = getenv(name) else {
                throw Failure("the secret \(id) is the variable \(name), which is not set")
            }
            return Array(String(cString: value).utf8)
        }
    }
}
