import Linux
import SystemPackage

import CLinux
import Glibc

extension ControlGroupHierarchy {
    /// The path of container `id`'s cgroup, below a hierarchy's root.
    static func path(_ id: String) -> FilePath { FilePath("\(ControlGroup.parent)/\(id)") }

    /// The cgroup directory of container `id`, made where it is missing. O_PATH.
    func make(_ id: String) throws -> OwnedFD {
        try naming("make the cgroup \(ControlGroup.parent)/\(id) of \(name)") { () throws(Errno) in
            let parent = try child(ControlGroup.parent, of: directory.fd)
            return try child(id, of: parent)
        }
    }

    /// For messages.
    var name: String { version == .two ? "version 2" : controllers.joined(separator: ",") }

    private func child(_ name: String, of parent: borrowing OwnedFD) throws(Errno) -> OwnedFD {
        let path = FilePath(name)
        let isThere = parent.use { faccessat($0, name, F_OK, AT_SYMLINK_NOFOLLOW) } == 0
        if !isThere, parent.use({ mkdirat($0, name, 0o755) }) == -1, Errno.last != .fileExists { throw .last }
        let child = try parent.open(path, O_PATH | O_DIRECTORY)
        guard controllers.contains("cpuset") else { return child }
        // A new cgroup of version 1 has no CPUs and no memory nodes, and accepts no process.
        for file: FilePath in ["cpuset.cpus", "cpuset.mems"] {
            let own = try child.open(file, O_RDONLY).contents(limit: 1 << 16)
            if own.allSatisfy({ $0 == UInt8(ascii: "\n") }) {
                try child.write(try parent.open(file, O_RDONLY).contents(limit: 1 << 16), to: file)
            }
        }
        return child
    }

    /// Whether the cgroup of `id`, and those that were made in it, are gone.
    func remove(_ id: String) -> Bool {
        let path = ControlGroupHierarchy.path(id)
        if removeDirectory(path) { return true }
        walk(
            id,
            leave: { parent, name in
                let terminated = name.map { CChar(bitPattern: $0) } + [0]
                _ = parent.use { unlinkat($0, terminated, AT_REMOVEDIR) }
            }
        )
        return removeDirectory(path)
    }

    private func removeDirectory(_ path: FilePath) -> Bool {
        directory.fd.use { fd in path.withPlatformString { unlinkat(fd, $0, AT_REMOVEDIR) } } == 0
            || Errno.last == .noSuchFileOrDirectory
    }

    /// SIGKILL to all processes in the cgroup of `id` and in those that were made in it, including frozen ones.
    func kill(_ id: String) {
        guard let group = try? directory.fd.open(ControlGroupHierarchy.path(id), O_RDONLY | O_DIRECTORY)
        else {
            return
        }
        // Linux 5.14: kills all at once, also processes that are just being forked.
        if (try? group.write(Array("1".utf8), to: "cgroup.kill")) != nil { return }
        walk(id, arrive: { end(id, in: $0) })
    }

    /// Walks the cgroup of `id` and all that were made in it. Only a container with rights to its cgroup can have
    /// made any, with any names, as many and as deep as it likes. Groups that vanish or move meanwhile are left to
    /// the next walk.
    private func walk(
        _ id: String,
        arrive: (borrowing OwnedFD) -> Void = { _ in },
        leave: (borrowing OwnedFD, [UInt8]) -> Void = { _, _ in }
    ) {
        let path = FilePath(ControlGroup.parent)
        guard let parent = try? directory.fd.open(path, O_RDONLY | O_DIRECTORY) else { return }
        // The container may be making more meanwhile. More than this can't be there: each takes memory of the
        // kernel's.
        var isLeft = 10_000_000
        try? TreeWalk.walk(
            Array(id.utf8),
            in: parent,
            open: { (above, name) throws(Errno) in try? above.openDirectory(name) },
            arrive: { (group) throws(Errno) in
                arrive(group)
                isLeft -= 1
                guard isLeft > 0, let entries = try? group.entries() else { return [] }
                return entries.filter { $0.kind == DT_DIR }.map(\.name)
            },
            leave: { (above, name) throws(Errno) in leave(above, name) }
        )
    }

    private func end(_ id: String, in group: borrowing OwnedFD) {
        try? group.write(Array("THAWED".utf8), to: "freezer.state")
        guard let list = try? group.open("cgroup.procs", O_RDONLY).contents(limit: 1 << 24) else { return }
        for line in String(decoding: list, as: UTF8.self).split(separator: "\n") {
            guard let pid = Int32(line), pid > 1 else { continue }
            let raw = clinux_pidfd_open(pid)
            guard raw >= 0 else { continue }
            let process = OwnedFD(adopting: raw)
            // Checked after the opening, when the number can't go to another process.
            let groups = try? OwnedFD.open(FilePath("/proc/\(pid)/cgroup"), O_RDONLY).contents(limit: 1 << 20)
            guard let groups,
                String(decoding: groups, as: UTF8.self).contains("/\(ControlGroup.parent)/\(id)")
            else {
                continue
            }
            _ = process.use { clinux_pidfd_send_signal($0, SIGKILL) }
        }
    }
}

extension OwnedFD {
    /// Writes `bytes` to the existing file `name` in this directory with one write(2), as cgroup files require.
    func write(_ bytes: [UInt8], to name: FilePath) throws(Errno) {
        try open(name, O_WRONLY).writeAll(bytes)
    }
}
