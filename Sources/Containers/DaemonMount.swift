package import Layers
import Linux
import Runner
package import SystemPackage

import Glibc

/// Mounts served by micafs, one process each.
package struct DaemonMount: RootMount {
    private let layout: StoreLayout

    package init(_ layout: StoreLayout) { self.layout = layout }

    package func mount(
        _ tree: RootTree,
        at target: FilePath,
        lock: CInt,
        log: FilePath,
        meanwhile: () throws -> Void
    ) throws {
        let chains = ChainStore(layout: layout)
        // A chain that is not indexed yet is staged in tmp/, where nothing is safe without this lock.
        let change = try naming("lock \(layout.lock)") { try FileLock(layout.lock, .shared) }
        // The daemon opens the index meanwhile. Verifying reads all of it, which takes as long as a mount.
        var known = chains.unverified(for: tree.layers, chainID: tree.chainID)
        if known == nil { _ = try chains.index(for: tree.layers) }
        var isWhole = true
        try serve(tree, at: target, lock: lock, log: log) {
            isWhole = known?.hasRightChecksum ?? true
            known = nil
            try meanwhile()
        }
        if !isWhole {
            try Unmount.unmount(target, .lazy)
            _ = try chains.index(for: tree.layers)
            try serve(tree, at: target, lock: lock, log: log) {}
        }
        _ = consume change
    }

    private func serve(
        _ tree: RootTree,
        at target: FilePath,
        lock: CInt,
        log: FilePath,
        meanwhile: () throws -> Void
    ) throws {
        var arguments = try command(tree)
        arguments += ["--source", tree.source, "--log", log.string, "--lock-fd", "3", "--ready-fd", "4"]
        if tree.endsWithCaller { arguments.append("--end-with-caller") }
        if !tree.options.isEmpty { arguments += ["-o", tree.options.joined(separator: ",")] }
        arguments.append(target.string)

        let errors = try Pipe()
        let ready = try Pipe()
        let daemon = try start(arguments, errors, ready, lock)
        let end = ready.takeReadEnd()
        let done = Result { try meanwhile() }
        // The daemon writes a byte when the mount answers, and lives on; its messages are in the other pipe.
        var byte: UInt8 = 0
        let count = withUnsafeMutableBytes(of: &byte) { buffer in (try? end.readFully(into: buffer)) ?? 0 }
        let answers = count == 1 && (try? target.status()) != nil
        if answers {
            daemon.leave()
            return try done.get()
        }
        // The daemon may have mounted before it failed; it ends with its mount.
        if count == 1 || MountTable.current().isDead(target) { try? Unmount.unmount(target, .lazy) }
        let status = try daemon.wait()
        _ = fcntl(errors.read.raw, F_SETFL, O_NONBLOCK)
        let message = DaemonMount.text(of: errors.read)
        guard message.isEmpty else { throw Failure(described: message) }
        throw Failure("micafs failed to mount \(target) (status \(status))", advice: "See \(log).")
    }

    /// The daemon alone gets the write ends of `errors` and `ready`. Its descriptors 3 and 4 are `lock` and `ready`.
    private func start(
        _ arguments: [String],
        _ errors: borrowing Pipe,
        _ ready: borrowing Pipe,
        _ lock: CInt
    ) throws -> HostProcess {
        // posix_spawn(3) duplicates them one after the other: none may have a number that another one gets.
        let own = try [errors.write.raw, lock, ready.write.raw].map { descriptor in
            OpenFile(OwnedFD(adopting: try Errno.check(fcntl(descriptor, F_DUPFD_CLOEXEC, 5))))
        }
        return try withExtendedLifetime(own) {
            try HostProcess(arguments, descriptors: [nil, nil] + own.map { $0.fd.raw }, inSession: true)
        }
    }

    /// Copies the data that a snapshot still reads from its image into its upper. It must not be mounted.
    func materialize(_ tree: RootTree) throws {
        // A chain that is not indexed yet is staged in tmp/, where nothing is safe without this lock.
        let change = try naming("lock \(layout.lock)") { try FileLock(layout.lock, .shared) }
        _ = try ChainStore(layout: layout).index(for: tree.layers)
        _ = consume change
        let errors = try Pipe()
        let theirs = try errors.write.duplicate()
        let process = try HostProcess(command(tree) + ["--materialize"], descriptors: [nil, nil, theirs.raw])
        let status = try process.wait()
        guard status != 0 else { return }
        _ = fcntl(errors.read.raw, F_SETFL, O_NONBLOCK)
        let message = DaemonMount.text(of: errors.read)
        throw Failure(described: message.isEmpty ? "micafs failed (status \(status))" : message)
    }

    /// micafs's command line for a tree whose chain is indexed, without the operation.
    private func command(_ tree: RootTree) throws -> [String] {
        let chain = ChainStore(layout: layout).path(of: tree.chainID)
        var arguments = [
            try DaemonMount.program(), "--chain", chain.string, "--store", layout.root.string,
        ]
        if let snapshot = tree.snapshot {
            arguments += [
                "--upper", snapshot.appending("upper").string, "--work", snapshot.appending("work").string,
            ]
            // Only mica reads these uppers, and a commit restores the owners.
            if !Privileges.canSetTrustedXattrs { arguments.append("--keep-owners") }
        }
        return arguments
    }

    private static func text(of pipe: borrowing OwnedFD) -> String {
        var buffer = [UInt8](repeating: 0, count: 65536)
        // Only what has arrived: this process has the other end open as well.
        let count = buffer.withUnsafeMutableBytes { bytes in
            pipe.use { max(0, Glibc.read($0, bytes.baseAddress, bytes.count)) }
        }
        // One of the lines may be from fusermount3.
        let lines = String(decoding: buffer[..<count], as: UTF8.self).split(separator: "\n")
        return lines.map { $0.hasPrefix("micafs: ") ? $0.dropFirst(8) : $0 }.joined(separator: "\n")
    }

    /// $MICA_MICAFS, or beside this program, or in ../libexec/mica, or in PATH.
    private static func program() throws -> String {
        if let path = getenv("MICA_MICAFS"), path.pointee != 0 { return String(cString: path) }
        // No path arithmetic: FilePath's generic instantiations for it take a fiftieth of a mount.
        let program = try HostProcess.program().string
        let directory = program[..<(program.lastIndex(of: "/") ?? program.startIndex)]
        let path = getenv("PATH").map { String(cString: $0) } ?? ""
        let beside = ["\(directory)/micafs", "\(directory)/../libexec/mica/micafs"]
        if let found = beside.first(where: { access($0, X_OK) == 0 }) { return found }
        for directory in path.split(separator: ":") where access("\(directory)/micafs", X_OK) == 0 {
            return "\(directory)/micafs"
        }
        throw Failure(
            "micafs is not installed: it is neither in \(directory) nor in PATH",
            advice: "Install it beside mica, or set MICA_MICAFS to its path."
        )
    }
}
