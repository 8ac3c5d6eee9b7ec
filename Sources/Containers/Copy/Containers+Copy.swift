import Snapshots
import Layers
import Linux
import Runner
import SystemPackage
import Tar

import Glibc

extension Containers {
    /// One side of a copy.
    package enum CopyEnd: Sendable {
        case host(String)
        case container(Container, String)
        /// A tar: standard input, or standard output.
        case stream
    }

    /// Copies as docker's cp does. `keepingOwners`: else the copy belongs to root in a container, and to the caller
    /// on the host; a stream has its owners in it. `following`: follows a source that is a link.
    package func copy(from source: CopyEnd, to target: CopyEnd, keepingOwners: Bool, following: Bool) throws {
        // The reader of a pipe may go away.
        signal(SIGPIPE, SIG_IGN)
        switch (source, target) {
        case (.container(let container, let path), _):
            try withRoot(of: container) { root in
                try Containers.send(path, of: CopyRoot(container: root), following, target, keepingOwners)
            }
            tell("archive-path", of: container, ["path": path])
        case (_, .container(let container, let path)):
            guard !container.spec.readOnlyRoot else {
                throw Failure(
                    "the root of container \(container.record.name) is read-only",
                    kind: .failedPrecondition
                )
            }
            try withRoot(of: container) { root in
                let root = CopyRoot(container: root)
                switch source {
                case .host(let name):
                    let from = try CopySource(name, in: CopyRoot(container: nil), following)
                    let to = try CopyTarget(path, in: root, for: from)
                    try Containers.transfer(from, to, owner: keepingOwners ? nil : (0, 0))
                default:
                    let to = try CopyTarget(path, in: root, for: nil)
                    let input = OwnedFD(adopting: try Errno.check(fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)))
                    let tar = Decompressor(FileSource(input), named: "standard input")
                    try TreeUnpacker(to.place, owner: nil).unpack(tar, named: "standard input")
                }
            }
            tell("extract-to-dir", of: container, ["path": path])
        default:
            throw Failure(
                "neither side of the copy is a container's",
                advice: "Expected mica cp NAME:PATH PATH, or mica cp PATH NAME:PATH.",
                kind: .invalidArgument
            )
        }
    }

    /// The whole root as a tar. Other mounts in a running container are left out.
    package func export(_ container: Container, to sink: @escaping (UnsafeRawBufferPointer) throws -> Void)
        throws
    {
        try withRoot(of: container) { root in
            let packer = TreePacker(showsMounted: false, to: sink)
            try packer.add([UInt8(ascii: ".")], in: root.fd, as: [])
            try packer.finish()
        }
        tell("export", of: container)
    }

    private static func send(
        _ path: String,
        of root: CopyRoot,
        _ following: Bool,
        _ target: CopyEnd,
        _ keepingOwners: Bool
    ) throws {
        let from = try CopySource(path, in: root, following)
        switch target {
        case .host(let name):
            let to = try CopyTarget(name, in: CopyRoot(container: nil), for: from)
            try transfer(from, to, owner: keepingOwners ? nil : (geteuid(), getegid()))
        case .stream:
            let packer = TreePacker(showsMounted: true) { try InheritedFD(STDOUT_FILENO).writeAll($0) }
            try packer.add(from.name, in: from.directory.fd, as: from.isContents ? [] : from.ownName)
            try packer.finish()
        case .container:
            throw Failure(
                "nothing is copied between containers",
                advice: "By way of a stream it is: mica cp A:PATH - | mica cp - B:DIR",
                kind: .invalidArgument
            )
        }
    }

    /// One thread packs, this one unpacks.
    private static func transfer(_ from: CopySource, _ to: CopyTarget, owner: TreeUnpacker.Owner?) throws {
        let pipe = try Pipe()
        let packing = Packing(to: OpenFile(try pipe.write.duplicate()))
        let reader = pipe.takeReadEnd()
        let thread = try WorkerThread {
            packing.run {
                let packer = TreePacker(showsMounted: true) { try packing.write($0) }
                try packer.add(from.name, in: from.directory.fd, as: to.name)
                try packer.finish()
            }
        }
        var failure: (any Error)?
        do { try unpack(reader, to, owner) } catch { failure = error }
        thread.join()
        if let failure = packing.failure ?? failure { throw failure }
    }

    /// The reader is always closed at the end, so that the packing thread ends too.
    private static func unpack(_ reader: consuming OwnedFD, _ to: CopyTarget, _ owner: TreeUnpacker.Owner?)
        throws
    {
        try TreeUnpacker(to.place, owner: owner).unpack(FileSource(reader), named: "the copy")
    }

    /// Calls `body` with a container's root: what its processes see while it runs, else the root mounted for this
    /// call.
    private func withRoot(of container: Container, _ body: (OpenFile) throws -> Void) throws {
        guard let lock = try lockUnlessRunning(container) else {
            try refuseLostRoot(of: container)
            let leader = try leader(of: container)
            guard let pidfd = leader.open() else {
                throw Failure("container \(container.record.name) has just ended", kind: .failedPrecondition)
            }
            return try body(OpenFile(try Sandbox.root(pidfd, pid: leader.pid)))
        }
        // A lock file without a state is the trace of a start that was killed.
        if try cleared(container) == nil { try write(ContainerState(.created), of: container) }
        do {
            defer { unmountRoot(of: container) }
            try mountRoot(of: container)
            try body(OpenFile(try OwnedFD.open(container.files.root, O_PATH | O_DIRECTORY)))
        }
        _ = consume lock
    }
}
