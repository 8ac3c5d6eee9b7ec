import Digests
import Dockerfile
import Layers
import Linux
import OCI
import Snapshots
import SystemPackage
import Tar

import Glibc

extension Build {
    static func epoch(_ request: BuildRequest) throws -> Int64? {
        let name = "SOURCE_DATE_EPOCH"
        guard let text = request.arguments[name] ?? getenv(name).map({ String(cString: $0) }) else {
            return nil
        }
        guard let seconds = Int64(text), seconds >= 0 else {
            throw Failure("\(name) is \"\(text)\" and should be seconds since 1970")
        }
        return seconds
    }

    /// The variables of all `FROM`s.
    static func globals(of dockerfile: Dockerfile, _ request: BuildRequest) throws -> Variables {
        var variables = Variables()
        for (prefix, platform) in [("BUILD", Platform.host), ("TARGET", request.platform ?? .host)] {
            variables["\(prefix)PLATFORM"] = "\(platform)"
            variables["\(prefix)OS"] = platform.os
            variables["\(prefix)ARCH"] = platform.architecture
            variables["\(prefix)VARIANT"] = platform.variant ?? ""
        }
        for instruction in dockerfile.globals {
            guard case .arg(let arguments) = instruction.operation else { continue }
            for argument in arguments {
                if let value = request.arguments[argument.name] {
                    variables[argument.name] = value
                } else if let value = argument.value {
                    do throws(DockerfileError) {
                        variables[argument.name] = try value.expand(with: variables)
                    } catch { throw error.at(instruction.source) }
                }
            }
        }
        return variables
    }

    static func context(_ request: BuildRequest, _ store: Store) throws -> any FileTree {
        let tree: any FileTree
        switch request.context {
        case .none: return EmptyTree()
        case .directory(let path): tree = try HostTree(path)
        case .layer(let diffID): tree = try LayerFileTree([diffID], store.layout)
        }
        for name in IgnoreFile.names(besides: request.path ?? "Dockerfile") {
            let place = try TreePath.resolve(TreePath.names(name.utf8), in: Opaque(tree))
            guard let file = place.file, file.attributes.kind == .file else { continue }
            let bytes = try file.bytes(limit: IgnoreFile.sizeLimit, name: name)
            return FilteredTree(base: tree, patterns: try IgnoreFile.patterns(bytes, name: name))
        }
        return tree
    }

    func targetStage() throws -> Int {
        guard let target = request.target, !target.isEmpty else { return dockerfile.stages.count - 1 }
        if let stage = stage(named: target, before: dockerfile.stages.count) { return stage }
        throw Failure(
            "\(request.name) has no stage \"\(target)\"",
            advice: "It has: \(dockerfile.stages.map(\.title).joined(separator: ", ")).",
            kind: .notFound
        )
    }

    /// The number of an earlier stage, by its name or number.
    func stage(named name: String, before number: Int, byNumber: Bool = true) -> Int? {
        let stages = dockerfile.stages.prefix(number)
        if let named = stages.last(where: { $0.name == name.lowercased() }) { return named.number }
        guard byNumber, let index = Int(name), stages.indices.contains(index) else { return nil }
        return index
    }

    /// The stages that one is made of, and it itself. What a trigger of a base image needs is known only later.
    func needed(by target: Int) -> Set<Int> {
        var found: Set<Int> = []
        var pending = [target]
        while let number = pending.popLast() {
            guard found.insert(number).inserted else { continue }
            let stage = dockerfile.stages[number]
            if let base = try? stage.base.expand(with: globals),
                let below = self.stage(named: base, before: number, byNumber: false)
            {
                pending.append(below)
            }
            for instruction in stage.instructions {
                var names: [String?] = []
                switch instruction.operation {
                case .copy(let copy): names = [copy.from]
                case .run(let run): names = run.mounts.map(\.from)
                default: break
                }
                pending += names.compactMap { $0 }.compactMap { self.stage(named: $0, before: number) }
            }
        }
        return found
    }

    /// As BuildKit does: a name that is misspelt would be ignored silently.
    func warnOfUnusedArguments() {
        var known = Set(globals.names).union(Build.proxies)
        known.insert("SOURCE_DATE_EPOCH")
        for instruction in dockerfile.globals + dockerfile.stages.flatMap(\.instructions) {
            guard case .arg(let arguments) = instruction.operation else { continue }
            known.formUnion(arguments.map(\.name))
        }
        let unused = request.arguments.keys.filter { !known.contains($0) }.sorted()
        if !unused.isEmpty {
            report(
                .warning(
                    "[Warning] One or more build-args [\(unused.joined(separator: " "))] were not consumed"
                )
            )
        }
    }

    /// Arguments that every `RUN` gets without an `ARG`, and that neither the history nor a step's key has.
    static let proxies: Set<String> = {
        let names = ["HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"]
        return Set(names + names.map { $0.lowercased() })
    }()
}

/// No files at all.
struct EmptyTree: FileTree {
    func root() throws -> any TreeFile { EmptyDirectory() }
}

private struct EmptyDirectory: TreeFile {
    var attributes: TreeAttributes {
        TreeAttributes(kind: .directory, mode: 0o755, uid: 0, gid: 0, size: 0, modified: .init(seconds: 0))
    }
    var identity: TreeIdentity? { nil }
    func target() throws -> [UInt8] { [] }
    func xattrs() throws -> [TarEntry.Xattr] { [] }
    func names() throws -> [[UInt8]] { [] }
    func child(_ name: [UInt8]) throws -> (any TreeFile)? { nil }
    func content() throws -> any ByteSource { MemorySource([]) }
}

extension TreeFile {
    /// All data of a small file.
    func bytes(limit: Int, name: String) throws -> [UInt8] {
        guard attributes.size <= UInt64(limit) else { throw Failure("\(name) has more than \(limit) bytes") }
        var source = try content()
        var bytes: [UInt8] = []
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
        defer { buffer.deallocate() }
        while true {
            let count = try source.read(into: buffer)
            if count == 0 { return bytes }
            guard bytes.count + count <= limit else { throw Failure("\(name) has more than \(limit) bytes") }
            bytes += buffer[..<count]
        }
    }
}
