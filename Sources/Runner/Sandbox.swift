package import Linux
package import SystemPackage

import CLinux
import Glibc

/// Starts containers: namespaces, mounts, identity, program.
///
/// The thread that calls must outlive the container where `diesWithCaller`: the kernel ties their lives.
package enum Sandbox {
    static let namespaces = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP

    /// Starts `spec`'s program as process 1 of new namespaces, with the directory `root` (host path) as
    /// its root. `files` are bound into the container like volumes, before those. `made` gets the paths in the
    /// root that had to be created to mount something on them, parents first, whether the program starts or not.
    package static func start(
        _ spec: ContainerSpec,
        root: FilePath,
        files: [Volume] = [],
        streams: ProcessStreams,
        diesWithCaller: Bool = true,
        made: ([[UInt8]]) -> Void = { _ in }
    ) throws -> ContainerProcess {
        let directory = try naming("open \(root)") { try OwnedFD.open(root, O_PATH | O_DIRECTORY) }
        let account = try Account(of: spec.process.user, root: directory)
        let memory = CStrings()
        var plan = basicPlan(spec.process, account, in: memory)

        plan.namespaces = UInt64(namespaces | (spec.network == .none ? CLONE_NEWNET : 0))
        plan.join = -1
        plan.root = memory.string(root.string)
        plan.hostname = memory.string(spec.hostname)
        plan.loopback = spec.network == .none ? 1 : 0
        plan.masked = memory.list(HiddenPaths.masked)
        plan.read_only = memory.list(HiddenPaths.readOnly)
        plan.read_only_root = spec.readOnlyRoot ? 1 : 0
        plan.death_signal = diesWithCaller ? SIGKILL : 0

        var mounts = MountPoint.standard(unifiedControlGroups: hasUnifiedControlGroups)
        let taken = Set(spec.volumes.map(\.destination))
        for volume in files.filter({ !taken.contains($0.destination) })
            + spec.volumes.sorted(by: { $0.depth < $1.depth })
        {
            mounts.append(try mountPoint(volume))
        }
        plan.mounts = UnsafePointer(memory.array(mounts.map { $0.plan(in: memory) }))
        plan.mount_count = mounts.count
        let paths = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
        plan.made = paths.baseAddress?.assumingMemoryBound(to: CChar.self)
        plan.made_capacity = paths.count
        defer {
            made(paths[..<plan.made_length].split(separator: 0).map { Array($0) })
            paths.deallocate()
        }
        return try withExtendedLifetime(memory) { try spawn(&plan, streams) }
    }

    /// Starts one more program in the container of `leader`, a pidfd. `pid` is the same process's number.
    package static func join(
        _ leader: borrowing OwnedFD,
        pid: Int32,
        _ process: ProcessSpec,
        streams: ProcessStreams,
        diesWithCaller: Bool = true
    ) throws -> ContainerProcess {
        let root = try naming("open the root of process \(pid)") {
            try OwnedFD.open(FilePath("/proc/\(pid)/root"), O_PATH | O_DIRECTORY)
        }
        let account = try Account(of: process.user, root: root)
        let memory = CStrings()
        var plan = basicPlan(process, account, in: memory)
        plan.join = leader.raw
        plan.death_signal = diesWithCaller ? SIGKILL : 0
        return try withExtendedLifetime(memory) { try spawn(&plan, streams) }
    }

    private static func basicPlan(
        _ process: ProcessSpec,
        _ account: Account,
        in memory: CStrings
    ) -> clinux_process {
        var environment = process.environment
        if Environment.value(of: "HOME", in: environment) == nil {
            environment.append("HOME=\(account.home)")
        }
        let search = Environment.value(of: "PATH", in: environment) ?? Environment.defaultPath

        var plan = clinux_process()
        plan.argv = memory.list(process.arguments)
        plan.envp = memory.list(environment)
        plan.search = memory.string(search)
        plan.directory = memory.string(process.directory)
        plan.uid = account.uid
        plan.gid = account.gid
        // The primary one too: a set-gid program must not get a user around what is denied to their group.
        plan.groups = UnsafePointer(memory.array([account.gid] + account.groups))
        plan.group_count = account.groups.count + 1
        plan.capabilities = Capabilities.container.rawValue
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
        clinux_is_cgroup2("/sys/fs/cgroup") != 0
    }

    private static func spawn(_ plan: inout clinux_process, _ streams: ProcessStreams) throws
        -> ContainerProcess
    {
        streams.give(to: &plan)
        let pid = clinux_spawn(&plan)
        if pid < 0 {
            // A pid namespace whose first process is gone takes no other.
            let gone = plan.join >= 0 && [ENOMEM, ESRCH].contains(-pid)
            throw gone
                ? Failure("the container has ended", exitCode: ExitStatus.failed.rawValue)
                : Failure(
                    "start a process in new namespaces",
                    Errno(rawValue: -pid),
                    exitCode: ExitStatus.failed.rawValue
                )
        }
        if let action = plan.failed_action { throw failure(plan, action) }
        let pidfd = OwnedFD(adopting: plan.pidfd)
        return ContainerProcess(pid: pid, pidfd: pidfd, terminal: try streams.receiveTerminal())
    }

    private static func failure(_ plan: clinux_process, _ action: UnsafePointer<CChar>) -> Failure {
        let errno = Errno(rawValue: plan.failed_errno)
        let object = plan.failed_object.map { String(cString: $0) } ?? ""
        guard plan.failed_exec != 0 else {
            return Failure(
                "\(String(cString: action)) \(object)",
                errno,
                exitCode: ExitStatus.failed.rawValue
            )
        }
        switch errno {
        case .noSuchFileOrDirectory where !object.contains("/") && String(cString: action) == "execute":
            return Failure(
                "\(object): not found in the container's PATH",
                exitCode: ExitStatus.notFound.rawValue
            )
        case .noSuchFileOrDirectory, .notDirectory:
            let status = ExitStatus.notFound.rawValue
            return Failure("\(String(cString: action)) \(object) in the container", errno, exitCode: status)
        default:
            let status = ExitStatus.notExecutable.rawValue
            return Failure("\(String(cString: action)) \(object) in the container", errno, exitCode: status)
        }
    }
}
