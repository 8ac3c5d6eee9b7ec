package import Linux
import SystemPackage

import Glibc

/// A container's cgroup, `mica/<id>` below the root of each hierarchy: it holds all of its processes and nothing else,
/// limits what they use, and is how they are found when nobody else knows them any more.
package struct ControlGroup: Sendable {
    /// Below a hierarchy's root, as docker's "docker".
    package static let parent = "mica"

    let id: String
    let hierarchies: [ControlGroupHierarchy]
    /// For CLONE_INTO_CGROUP: the directory in version 2. nil where the kernel has none.
    let unified: OpenFile?
    /// `tasks` of version 1, open for writing: a thread that writes 0 there moves itself.
    let tasks: [OpenFile]

    /// Makes the cgroup of container `id`, with `limits`. Failure: a limit that can't be enforced, by its controller's
    /// name, or cgroups that can't be made, or are frozen with what is above.
    package init(of id: String, limits: Resources) throws {
        self.id = id
        hierarchies = try ControlGroupHierarchy.all()
        (unified, tasks) = try ControlGroup.make(id, in: hierarchies) { try limits.apply(to: id, in: $0) }
    }

    /// The cgroup of container `id`, whose process 1 is `leader`, a pidfd. One that was started without, by an earlier
    /// mica, gets one. Failure: it has ended, or is frozen: who enters would stop on its way, and hold up its parent.
    package init(existing id: String, leader: borrowing OwnedFD) throws {
        self.id = id
        hierarchies = try ControlGroupHierarchy.all()
        do {
            (unified, tasks) = try ControlGroup.doors(to: id, in: hierarchies)
        } catch Errno.noSuchFileOrDirectory {
            (unified, tasks) = try ControlGroup.make(id, in: hierarchies) { _ in
                // Made again after the end, it would be nobody's to remove. While the leader lives, it is its runner's.
                if leader.hasEnded {
                    throw Failure("the container has ended", exitCode: ExitStatus.failed.rawValue)
                }
            }
        }
    }

    /// None is left behind by a failure, also one of `prepare`.
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

    /// SIGKILL to whatever is in the cgroup of container `id`, frozen or not.
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

    /// Kills what is left in it, and removes it. Whether it is gone.
    @discardableResult
    package func remove() -> Bool { ControlGroup.remove(id, from: hierarchies) }

    /// The same for a container that somebody else has started. What is not there is fine.
    @discardableResult
    package static func remove(_ id: String) -> Bool {
        guard let hierarchies = try? ControlGroupHierarchy.all() else { return false }
        return remove(id, from: hierarchies)
    }

    private static func remove(_ id: String, from hierarchies: [ControlGroupHierarchy]) -> Bool {
        // What is dying leaves a cgroup a moment after its process is gone.
        for attempt in 0..<200 {
            let left = hierarchies.filter { !$0.remove(id) }
            if left.isEmpty { return true }
            for hierarchy in left { hierarchy.kill(id) }
            if attempt > 0 { usleep(10_000) }
        }
        return false
    }
}
