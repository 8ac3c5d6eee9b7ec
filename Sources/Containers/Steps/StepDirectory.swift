import Linux
import Runner
import SystemPackage

import Glibc

/// What a step needs beside its snapshot, in the snapshot's directory: the root's mount point, files and trees that its
/// command sees. It goes with the step.
struct StepDirectory {
    private let path: FilePath

    init(_ snapshot: FilePath) { path = snapshot.appending("step") }

    var files: ContainerFiles { ContainerFiles(directory: path) }

    func make() throws {
        try naming("create \(path)") { try path.makeDirectory(mode: 0o700) }
    }

    /// Also what a build that was killed has left mounted. Nothing of it is worth a failure of its own: the directory
    /// goes with its snapshot, which can't go while something is mounted there.
    func remove() {
        for point in MountTable.current().targets(below: path).reversed() {
            try? Unmount.unmount(point, .lazy)
        }
        for name in (try? path.names()) ?? [] {
            let name = String(decoding: name, as: UTF8.self)
            guard name.hasSuffix("mount.lock") else { continue }
            _ = Unmount.end(path.appending(name), killing: true)
        }
        try? path.removeTree()
    }

    /// micafs's log goes with the directory: an error that points to it gets its last lines instead.
    func quotingLog(in error: any Error) -> any Error {
        guard let failure = error as? Failure, failure.advice?.contains(files.daemonLog.string) == true else {
            return error
        }
        let log = (try? OwnedFD.open(files.daemonLog, O_RDONLY).contents(limit: 1 << 20)) ?? []
        let lines = String(decoding: log, as: UTF8.self).split(separator: "\n").suffix(3)
        return Failure(
            failure.message,
            advice: lines.isEmpty ? nil : lines.joined(separator: "\n"),
            kind: failure.kind
        )
    }

    // MARK: - Trees

    private func tree(_ number: Int) -> FilePath { path.appending("tree\(number)") }

    /// Returns the part of it that is wanted.
    func mount(_ tree: StepRequest.Tree, _ number: Int, _ roots: any RootMount) throws -> Volume {
        let point = self.tree(number)
        try naming("create \(point)") { try point.makeDirectory(mode: 0o755) }
        var snapshot: FilePath?
        if !tree.readOnly {
            let directory = path.appending("tree\(number).written")
            try naming("create \(directory)") {
                for name in ["upper", "work"] {
                    try directory.appending(name).makeDirectories(exactly: 0o755)
                }
            }
            snapshot = directory
        }
        let lockPath = path.appending("tree\(number).mount.lock")
        let lock = try naming("lock \(lockPath)") { try FileLock(lockPath) }
        var root = RootTree(layers: tree.layers, snapshot: snapshot, source: "build", options: ["nodev"])
        root.endsWithCaller = true
        try roots.mount(root, at: point, lock: lock.raw, log: files.daemonLog) {}
        _ = consume lock
        let wanted = try naming("find \(tree.source) in what is to be mounted at \(tree.destination)") {
            let directory = try OwnedFD.open(point, O_PATH | O_DIRECTORY)
            let file = try directory.open(inRoot: FilePath("/\(tree.source)"), O_PATH)
            return try FilePath("/proc/self/fd/\(file.raw)").linkTarget(of: file)
        }
        return Volume(source: wanted.string, destination: tree.destination, readOnly: tree.readOnly)
    }

    func unmountTree(_ number: Int) {
        try? Unmount.unmount(tree(number), .lazy)
        _ = Unmount.end(path.appending("tree\(number).mount.lock"), killing: true)
    }

    // MARK: - Files

    func write(_ file: StepRequest.File, _ number: Int) throws -> Volume {
        var place = path.appending("file\(number)")
        if let name = file.name {
            try naming("create \(place)") { try place.makeDirectories(exactly: 0o755) }
            place.append(name)
        }
        try naming("write \(place)") {
            let fd = try OwnedFD.open(place, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
            try fd.writeAll(file.bytes)
            try fd.changeOwner(.itself, uid: file.uid, gid: file.gid)
            try fd.changeMode(.itself, file.mode)
        }
        let source = file.name == nil ? place : place.removingLastComponent()
        return Volume(source: source.string, destination: file.destination, readOnly: true)
    }
}

extension FilePath {
    /// The path of an open file, through /proc.
    fileprivate func linkTarget(of file: borrowing OwnedFD) throws(Errno) -> FilePath {
        defer { file.stay() }
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = withPlatformString { readlink($0, &buffer, buffer.count - 1) }
        guard count > 0 else { throw .last }
        return FilePath(platformString: buffer)
    }
}
