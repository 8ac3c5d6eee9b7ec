import Linux
import SystemPackage

import Glibc

extension ControlGroup {
    /// Whether container `id` is paused: its own cgroup is frozen, not one above it.
    package static func isPaused(_ id: String) -> Bool {
        ((try? ControlGroupHierarchy.all()) ?? []).contains { $0.isFrozen(id) }
    }

    /// Freezes all processes of container `id` and returns when they have stopped. If one does not stop, it thaws
    /// them again and throws a Failure.
    package static func pause(_ id: String) throws {
        let hierarchies = try ControlGroupHierarchy.all().filter { $0.hasFreezer(for: id) }
        // One hierarchy is enough: version 2 where the kernel has it.
        guard let hierarchy = hierarchies.first(where: { $0.version == .two }) ?? hierarchies.first else {
            throw Failure(
                "the container has no cgroup that can be frozen",
                advice: "It needs cgroups of version 2, or the freezer controller of version 1: mica doctor.",
                kind: .failedPrecondition
            )
        }
        try naming("freeze the cgroup of container \(id.prefix(12))") { try hierarchy.freeze(id) }
        for _ in 0..<1000 {
            if hierarchy.hasComeToHalt(id) { return }
            usleep(10_000)
        }
        try? hierarchy.thaw(id)
        throw Failure(
            "the container can't be paused: a process of it does not come to a halt",
            advice: "It waits in the kernel, for a disk or a network filesystem, say."
        )
    }

    /// Thaws them.
    package static func unpause(_ id: String) throws {
        for hierarchy in try ControlGroupHierarchy.all() where hierarchy.isFrozen(id) {
            try naming("thaw the cgroup of container \(id.prefix(12))") { try hierarchy.thaw(id) }
        }
    }
}

extension ControlGroupHierarchy {
    private var file: FilePath { version == .two ? "cgroup.freeze" : "freezer.state" }

    func hasFreezer(for id: String) -> Bool {
        guard version == .two || controllers.contains("freezer") else { return false }
        return text(of: file, id) != nil
    }

    func freeze(_ id: String) throws(Errno) { try put(version == .two ? "1" : "FROZEN", id) }

    func thaw(_ id: String) throws(Errno) { try put(version == .two ? "0" : "THAWED", id) }

    /// Whether the cgroup itself is frozen.
    func isFrozen(_ id: String) -> Bool {
        switch version {
        case .two: text(of: file, id) == "1\n"
        case .one: controllers.contains("freezer") && text(of: "freezer.self_freezing", id) == "1\n"
        }
    }

    func hasComeToHalt(_ id: String) -> Bool {
        switch version {
        case .two: text(of: "cgroup.events", id)?.contains("frozen 1") == true
        case .one: controllers.contains("freezer") && text(of: file, id) == "FROZEN\n"
        }
    }

    /// Failure (failedPrecondition) where it is frozen, because a process that enters would stop halfway, and block
    /// its parent.
    func checkThatNothingFreezes(_ id: String) throws {
        let exit = ExitStatus.failed.rawValue
        guard !isFrozen(id) else {
            throw Failure(
                "the container is paused",
                advice: "mica unpause lets it go on.",
                kind: .failedPrecondition,
                exitCode: exit
            )
        }
        // It may be frozen with a group above it.
        guard hasComeToHalt(id) else { return }
        throw Failure(
            "the container's cgroup is frozen",
            advice: "Nothing can be started in it until the one above is thawed.",
            kind: .failedPrecondition,
            exitCode: exit
        )
    }

    private func put(_ text: String, _ id: String) throws(Errno) {
        try directory.fd.open(ControlGroupHierarchy.path(id), O_PATH | O_DIRECTORY).write(
            Array(text.utf8),
            to: file
        )
    }

    func text(of file: FilePath, _ id: String) -> String? {
        let path = ControlGroupHierarchy.path(id).pushing(file)
        guard let bytes = try? directory.fd.open(path, O_RDONLY).contents(limit: 1 << 12) else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }
}
