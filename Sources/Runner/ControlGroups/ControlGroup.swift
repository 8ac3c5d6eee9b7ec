package import Linux
import SystemPackage

import Glibc

/// A container's cgroup, `mica/<id>` below the root of each hierarchy. It holds all of the container's processes and
/// no others, limits what they use, and is how they are found when the process that started them is gone.
package struct ControlGroup: Sendable {
    /// Below a hierarchy's root, like docker's "docker".
    package static let parent = "mica"

    let id: String
    let hierarchies: [ControlGroupHierarchy]
    /// The directory in version 2, for CLONE_INTO_CGROUP. nil where the kernel has none.
    let unified: OpenFile?
    /// `tasks` of version 1, open for writing: a thread that writes 0 there moves itself.
    let tasks: [OpenFile]

    /// Makes the cgroup of container `id`, with `limits`. Failure for a limit that can't be enforced, with its
    /// controller's name, and for cgroups that can't be made, or are frozen with a group above.
    package init(of id: String, limits: Resources) throws {
        self.id = id
        hierarchies = try ControlGroupHierarchy.all()
        (unified, tasks) = try ControlGroup.make(id, in: hierarchies) { try limits.apply(to: id, in: $0) }
    }

    /// The cgroup of container `id`, whose process 1 is `leader`, a pidfd. A container of an earlier mica, which has
    /// none, gets one. Failure where the container has ended or is frozen, because a process that enters would stop
    /// halfway, and block its parent.
    package init(existing id: String, leader: borrowing OwnedFD) throws {
        self.id = id
        hierarchies = try ControlGroupHierarchy.all()
        do {
            (unified, tasks) = try ControlGroup.doors(to: id, in: hierarchies)
        } catch Errno.noSuchFileOrDirectory {
            (unified, tasks) = try ControlGroup.make(id, in: hierarchies) { _ in
                // Made again after the end, nothing would remove it. While the leader lives, the process that runs
                // it does.
                if leader.hasEnded {
                    throw Failure("the container has ended", exitCode: ExitStatus.failed.rawValue)
                }
            }
        }
    }

    /// Leaves no cgroup behind after a failure, including one of `prepare`.
    private static func make(
        _ id: String,
        in hierarchies: [ControlGroupHierarchy],
        _ prepare: ([ControlGroupHierarchy]) throws -> Void
    ) throws -> (unified: OpenFile?, tasks: [OpenFile]) {
        do {
            for hierarchy in hierarchies { _ = try hierarchy.make(id) }
            try prepare(hierarchies)
            return try doors(to: id, in: hierarchies)
        } catch {
            _ = remove(id, from: hierarchies)
            throw error
        }
    }

    /// SIGKILL to all processes in the cgroup of container `id`, frozen or not.
    package static func kill(_ id: String) {
        for hierarchy in (try? ControlGroupHierarchy.all()) ?? [] { hierarchy.kill(id) }
    }

    private static func doors(
        to id: String,
        in hierarchies: [ControlGroupHierarchy]
    ) throws -> (unified: OpenFile?, tasks: [OpenFile]) {
        var unified: OpenFile?
        var tasks: [OpenFile] = []
        for hierarchy in hierarchies {
            let group = ControlGroupHierarchy.path(id)
            switch hierarchy.version {
            case .two:
                let directory = try hierarchy.directory.fd.open(group, O_PATH | O_DIRECTORY)
                try hierarchy.checkThatNothingFreezes(id)
                unified = OpenFile(directory)
            case .one:
                let list = try hierarchy.directory.fd.open(group.appending("tasks"), O_WRONLY)
                try hierarchy.checkThatNothingFreezes(id)
                tasks.append(OpenFile(list))
            }
        }
        return (unified, tasks)
    }

    /// Kills its remaining processes and removes it. Returns whether it is gone.
    @discardableResult
    package func remove() -> Bool { ControlGroup.remove(id, from: hierarchies) }

    /// The same for a container that another process has started. A missing cgroup is no error.
    @discardableResult
    package static func remove(_ id: String) -> Bool {
        guard let hierarchies = try? ControlGroupHierarchy.all() else { return false }
        return remove(id, from: hierarchies)
    }

    private static func remove(_ id: String, from hierarchies: [ControlGroupHierarchy]) -> Bool {
        // A dying process leaves its cgroup a moment after it is gone.
        for attempt in 0..<200 {
            let left = hierarchies.filter { !$0.remove(id) }
            if left.isEmpty { return true }
            for hierarchy in left { hierarchy.kill(id) }
            if attempt > 0 { usleep(10_000) }
        }
        return false
    }
}
