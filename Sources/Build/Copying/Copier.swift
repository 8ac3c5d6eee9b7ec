import Dockerfile
import Linux
import Tar

/// Copies sources into a destination, as BuildKit does (solver/llbsolver/file, fsutil's copy).
struct Copier {
    struct Owner: Sendable, Equatable {
        var uid: UInt32
        var gid: UInt32
    }

    let writer: FileWriter
    let destination: Destination
    /// nil: files keep theirs, and directories that are made are root's.
    let owner: Owner?
    let mode: CopyMode?
    let excludes: PathPatterns?
    /// Of what is made on the way: seconds since 1970.
    let time: Int64

    /// Writes one source as a tree of its own.
    static func copy(_ source: CopySource, alone writer: FileWriter, time: Int64) throws {
        let copier = Copier(
            writer: writer,
            destination: Destination(EmptyTree()),
            owner: nil,
            mode: nil,
            excludes: nil,
            time: time
        )
        try copier.copy(source, to: "/")
    }

    /// Copies one source to `path`, which is absolute; with a slash at its end it is a directory.
    func copy(_ source: CopySource, to path: String) throws {
        writer.beginTree()
        let isDirectory = path.hasSuffix("/") || source.keepsName
        let place = try TreePath.resolve(TreePath.names(path.utf8), in: destination)
        if isDirectory { try makeDirectories(place.names) }
        var target = place.names
        for parent in source.parents {
            target.append(parent.name)
            try makeParent(parent.file, target)
        }
        let filtered = excludes?.filter(source.file) ?? source.file
        if source.file.isDirectory {
            if source.keepsName, !source.base.isEmpty {
                target.append(source.base)
                try makeParent(source.file, target)
            } else {
                try makeTop(source.file, target)
            }
            try copyChildren(of: filtered, [], to: target)
        } else {
            if try isDirectory || destination.file(target)?.isDirectory == true { target.append(source.base) }
            try makeDirectories(Array(target.dropLast()))
            try copyOther(source.file, source.base, to: target)
        }
    }

    // MARK: - Directories on the way

    /// Makes those of them that are missing.
    func makeDirectories(_ names: [[UInt8]]) throws {
        var path: [[UInt8]] = []
        for name in names {
            path.append(name)
            if let file = try destination.file(path) {
                guard file.isDirectory else { throw notADirectory(path) }
                continue
            }
            try make(path, modified: .init(seconds: time))
        }
    }

    private func make(_ path: [[UInt8]], modified: TarEntry.Time) throws {
        let mode = mode?.octal ?? 0o755
        let owner = owner ?? Owner(uid: 0, gid: 0)
        try writer.add(
            directory: TreePath.bytes(path),
            mode: mode,
            uid: owner.uid,
            gid: owner.gid,
            modified: modified
        )
        let attributes = TreeAttributes(
            kind: .directory,
            mode: mode,
            uid: owner.uid,
            gid: owner.gid,
            size: 0,
            modified: modified
        )
        destination.make(path, .init(attributes: attributes))
    }

    /// Where a directory's contents go: it keeps its own attributes, or gets those of one that is made on the way.
    private func makeTop(_ file: any TreeFile, _ path: [[UInt8]]) throws {
        try makeDirectories(Array(path.dropLast()))
        if let known = try destination.file(path) {
            guard known.isDirectory else { throw notADirectory(path) }
            return
        }
        try make(path, modified: file.attributes.modified)
    }

    /// A directory of a source with `--parents`: like in the source, where there is none.
    private func makeParent(_ file: any TreeFile, _ path: [[UInt8]]) throws {
        if let known = try destination.file(path) {
            guard known.isDirectory else { throw notADirectory(path) }
            return
        }
        try add(file, TreePath.bytes(path), to: path)
    }

    private func notADirectory(_ path: [[UInt8]]) -> Failure {
        Failure("cannot copy to non-directory: \(TreePath.text(path))")
    }

    // MARK: - What is copied

    private func copyChildren(of directory: any TreeFile, _ name: [UInt8], to path: [[UInt8]]) throws {
        for child in try directory.names() {
            guard let file = try directory.child(child) else { continue }
            let name = name.isEmpty ? child : name + [UInt8(ascii: "/")] + child
            let path = path + [child]
            guard file.isDirectory else {
                try copyOther(file, name, to: path)
                continue
            }
            if let known = try destination.file(path), !known.isDirectory { throw notADirectory(path) }
            try add(file, name, to: path)
            try copyChildren(of: file, name, to: path)
        }
    }

    private func copyOther(_ file: any TreeFile, _ name: [UInt8], to path: [[UInt8]]) throws {
        if let known = try destination.file(path), known.isDirectory {
            throw Failure("cannot replace to directory \(TreePath.text(path)) with file")
        }
        try add(file, name, to: path)
    }

    private func add(_ file: any TreeFile, _ name: [UInt8], to path: [[UInt8]]) throws {
        var attributes = file.attributes
        guard let kind = attributes.kind else { return }
        if let owner { (attributes.uid, attributes.gid) = (owner.uid, owner.gid) }
        if let mode, kind != .symbolicLink {
            attributes.mode = mode.apply(attributes.mode, kind == .directory)
        }
        try writer.add(file, name, to: TreePath.bytes(path), attributes)
        let target = kind == .symbolicLink ? try file.target() : []
        destination.make(path, .init(attributes: attributes, target: target))
    }
}
