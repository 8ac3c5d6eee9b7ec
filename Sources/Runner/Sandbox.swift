package import Linux
package import SystemPackage

import CLinux
import Glibc

/// Starts containers: namespaces, mounts, identity, program.
///
/// With `diesWithCaller`, the thread that prepares or joins must outlive the container: the kernel ends the
/// container with it.
package enum Sandbox {
    /// A container in its namespaces and cgroup, before it has a root.
    package final class Antechamber {
        fileprivate let entrance: Entrance
        fileprivate init(_ entrance: Entrance) { self.entrance = entrance }

        /// The PID of its process, in this process's PID namespace.
        package var pid: Int32 { entrance.pid }
    }

    /// The first half of a start, which does not need the root yet: a process that is alone in new namespaces, and
    /// in `group`. It ends with this value, unless it is started.
    package static func prepare(
        _ spec: ContainerSpec,
        streams: ProcessStreams,
        group: ControlGroup?,
        diesWithCaller: Bool = true
    ) throws -> Antechamber {
        var namespaces = CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC
        if spec.network == .none { namespaces |= CLONE_NEWNET }
        let entrance = try Entrance(
            streams,
            namespaces: namespaces,
            group: group,
            diesWithCaller: diesWithCaller
        )
        streams.closeTheirs()
        return Antechamber(entrance)
    }

    /// Starts `spec`'s program as process 1 of new namespaces, with the directory `root` (host path) as its root.
    /// `files` are bound into the container like volumes, before those. `filter`: the system calls that its
    /// processes may make; nil: all. `temporary`: filesystems in memory, below the volumes. `made` gets the paths in the root that had to be created as mount points,
    /// parents first, whether the program starts or not.
    package static func start(
        _ spec: ContainerSpec,
        in antechamber: Antechamber,
        root: FilePath,
        files: [Volume] = [],
        temporary: [TemporaryFilesystem] = [],
        streams: ProcessStreams,
        filter: SeccompFilter?,
        made: ([[UInt8]]) -> Void = { _ in }
    ) throws -> ContainerProcess {
        let directory = try naming("open \(root)") { try OwnedFD.open(root, O_PATH | O_DIRECTORY) }
        let account = try Account(of: spec.process.user, root: directory)
        var plan = basicPlan(spec.process, account, streams, spec, filter)
        if spec.network == .none { plan.head.flags |= UInt32(ENTER_LOOPBACK) }
        if spec.readOnlyRoot { plan.head.flags |= UInt32(ENTER_READ_ONLY_ROOT) }
        plan.head.root = plan.string(root.string)
        plan.head.hostname = plan.string(spec.hostname)
        plan.head.masked = plan.strings(HiddenPaths.masked)
        plan.head.read_only = plan.strings(HiddenPaths.readOnly)

        var mounts = MountPoint.standard(unifiedControlGroups: hasUnifiedControlGroups)
        let taken = Set(spec.volumes.map(\.destination))
        for var file in files where !taken.contains(file.destination) {
            file.readOnly = file.readOnly || spec.readOnlyRoot
            mounts.append(try mountPoint(file))
        }
        mounts += temporary.map { MountPoint($0) }
        for volume in spec.volumes.sorted(by: { $0.depth < $1.depth }) {
            mounts.append(try mountPoint(volume))
        }
        let planned = mounts.map { $0.planned(in: &plan) }
        plan.head.mounts = plan.array(planned)
        return try antechamber.entrance.go(plan, isJoining: false, made: made)
    }

    /// Starts one more program in the container of `leader`, a pidfd. `pid` is the same process's number.
    package static func join(
        _ leader: borrowing OwnedFD,
        pid: Int32,
        _ process: ProcessSpec,
        of spec: ContainerSpec,
        streams: ProcessStreams,
        group: ControlGroup?,
        filter: SeccompFilter?,
        diesWithCaller: Bool = true
    ) throws -> ContainerProcess {
        let door = try ContainerDoor(leader, pid: pid)
        let account = try Account(of: process.user, root: door.root)
        var plan = basicPlan(process, account, streams, spec, filter)
        plan.head.flags |= UInt32(ENTER_JOIN)
        let entrance = try door.use(leader) {
            try Entrance(streams, namespaces: 0, group: group, leader: $0, diesWithCaller: diesWithCaller)
        }
        streams.closeTheirs()
        return try entrance.go(plan, isJoining: true)
    }

    /// The root directory as the container of `leader`, a pidfd of process 1, sees it: to look up paths in, O_PATH.
    package static func root(_ leader: borrowing OwnedFD, pid: Int32) throws -> OwnedFD {
        try ContainerDoor(leader, pid: pid).root.duplicate()
    }

    private static func basicPlan(
        _ process: ProcessSpec,
        _ account: Account,
        _ streams: ProcessStreams,
        _ spec: ContainerSpec,
        _ filter: SeccompFilter?
    ) -> EnterPlan {
        var environment = process.environment
        if Environment.value(of: "HOME", in: environment) == nil {
            environment.append("HOME=\(account.home)")
        }
        let search = Environment.value(of: "PATH", in: environment) ?? Environment.defaultPath

        var plan = EnterPlan()
        plan.head.arguments = plan.strings(process.arguments)
        plan.head.environment = plan.strings(environment)
        plan.head.search = plan.string(search)
        plan.head.directory = plan.string(process.directory)
        plan.head.uid = account.uid
        plan.head.gid = account.gid
        // Including the primary group: a set-gid program must not get a user around a denial to their group.
        plan.head.groups = plan.array([account.gid] + account.groups)
        plan.head.capabilities = Capabilities.container.rawValue
        plan.head.filter = plan.array(filter?.bytes ?? [], size: SeccompFilter.instruction)
        if spec.noNewPrivileges == true { plan.head.flags |= UInt32(ENTER_NO_NEW_PRIVILEGES) }
        // The fields that this kind of plan does not use.
        let empty = plan.string("")
        let none = plan.strings([])
        (plan.head.root, plan.head.hostname) = (empty, empty)
        (plan.head.masked, plan.head.read_only, plan.head.mounts) = (none, none, none)
        if let size = streams.terminal {
            plan.head.flags |= UInt32(ENTER_TERMINAL)
            (plan.head.rows, plan.head.columns) = (size.rows, size.columns)
        }
        return plan
    }

    private static func mountPoint(_ volume: Volume) throws -> MountPoint {
        var status = FileStatus()
        guard stat(volume.source, &status) == 0 else {
            throw Failure("volume \(volume.source)", .last, exitCode: 125)
        }
        return MountPoint(volume, status: status)
    }

    private static var hasUnifiedControlGroups: Bool {
        guard let mount = try? OwnedFD.open("/sys/fs/cgroup", O_PATH | O_DIRECTORY) else { return false }
        return mount.use { clinux_filesystem_type($0) } == 0x6367_7270  // CGROUP2_SUPER_MAGIC
    }
}
