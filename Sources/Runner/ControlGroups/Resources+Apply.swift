import Linux
import SystemPackage

import Glibc

extension Resources {
    /// The default limit of processes is skipped where the machine has no controller for it; a limit that the user
    /// gave is not. `isChange`: the container runs, and nil values stay unchanged.
    package func apply(to id: String, in hierarchies: [ControlGroupHierarchy], isChange: Bool = false) throws
    {
        if let memory {
            try set("memory", to: id, in: hierarchies) { version in
                version == .two
                    ? [("memory.max", "\(memory)", true), ("memory.swap.max", "\(memory)", false)]
                    : [
                        ("memory.limit_in_bytes", "\(memory)", true),
                        ("memory.memsw.limit_in_bytes", "\(memory * 2)", false),
                    ]
            }
        }
        if let milliCPUs {
            let period: UInt64 = 100_000
            let quota = milliCPUs * period / 1000
            try set("cpu", to: id, in: hierarchies) { version in
                version == .two
                    ? [("cpu.max", "\(quota) \(period)", true)]
                    : [("cpu.cfs_period_us", "\(period)", true), ("cpu.cfs_quota_us", "\(quota)", true)]
            }
        }
        let most = processes ?? (isChange ? nil : Resources.usualProcesses)
        if let most, most > 0 || isChange {
            try set("pids", to: id, in: hierarchies, isOptional: processes == nil) { _ in
                [("pids.max", most > 0 ? "\(most)" : "max", true)]
            }
        }
    }

    /// `files`: name, contents, and whether the kernel must have the file.
    private func set(
        _ controller: String,
        to id: String,
        in hierarchies: [ControlGroupHierarchy],
        isOptional: Bool = false,
        _ files: (ControlGroupHierarchy.Version) -> [ControlGroupHierarchy.Setting]
    ) throws {
        guard let hierarchy = hierarchies.first(where: { $0.has(controller) }) else {
            if isOptional { return }
            throw Failure(
                "the \(controller) controller is not there: its limit can't be enforced on this machine",
                advice: "mica doctor says which cgroup controllers there are; run without the limit.",
                kind: .failedPrecondition
            )
        }
        do {
            try hierarchy.enable(controller)
            let files = files(hierarchy.version)
            do {
                try hierarchy.write(files, of: id)
            } catch Errno.invalidArgument {
                // Of version 1's two limits the upper one must be raised first and lowered last.
                try hierarchy.write(files.reversed(), of: id)
            }
        } catch let errno as Errno {
            if isOptional { return }
            throw Failure(
                "the \(controller) controller can't limit the container",
                errno,
                advice: "mica doctor says which cgroup controllers can be used; run without the limit."
            )
        }
    }
}

extension ControlGroupHierarchy {
    /// Whether it can apply limits of `controller`: "memory", "cpu", "pids".
    package func has(_ controller: String) -> Bool {
        switch version {
        case .one: return controllers.contains(controller)
        case .two: return words(in: directory.fd, "cgroup.controllers").contains(controller)
        }
    }

    /// For version 2: enables the controller from the root down to the containers' cgroups.
    func enable(_ controller: String) throws(Errno) {
        guard version == .two else { return }
        let parent = try directory.fd.open(FilePath(ControlGroup.parent), O_PATH | O_DIRECTORY)
        try enable(controller, in: directory.fd)
        try enable(controller, in: parent)
    }

    /// `isNeeded`: it is an error if the kernel does not have the file.
    typealias Setting = (name: FilePath, text: String, isNeeded: Bool)

    func write(_ settings: [Setting], of id: String) throws {
        let group = try make(id)
        for file in settings {
            if !file.isNeeded, group.use({ faccessat($0, file.name.string, F_OK, 0) }) != 0 { continue }
            try group.write(Array(file.text.utf8), to: file.name)
        }
    }

    private func enable(_ controller: String, in group: borrowing OwnedFD) throws(Errno) {
        let name: FilePath = "cgroup.subtree_control"
        if words(in: group, name).contains(controller) { return }
        try group.write(Array("+\(controller)".utf8), to: name)
    }

    private func words(in group: borrowing OwnedFD, _ file: FilePath) -> [String] {
        guard let text = try? group.open(file, O_RDONLY).contents(limit: 1 << 16) else { return [] }
        return String(decoding: text, as: UTF8.self).split(whereSeparator: \.isWhitespace).map(String.init)
    }
}
