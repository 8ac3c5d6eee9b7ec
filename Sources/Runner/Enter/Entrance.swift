import Linux
import SystemPackage

import CLinux
import Glibc

/// A mica-enter that has been started and waits for its plan.
final class Entrance {
    /// In this process's PID namespace.
    let pid: Int32
    private let pidfd: OwnedFD
    private let plan: OwnedFD
    private let reports: OwnedFD
    /// Whether it has been waited for, which is done once, or another object waits for it.
    private var isGivenAway = false

    /// Starts it in `group`, and in new `namespaces` (CLONE_NEW*), which it makes while the caller goes on, except
    /// the PID namespace. `leader`: the pidfd of a process whose namespaces it joins, -1 for none.
    init(
        _ streams: ProcessStreams,
        namespaces: Int32,
        group: ControlGroup?,
        leader: CInt = -1,
        diesWithCaller: Bool
    ) throws {
        let program = try EnterProgram.sealed()
        let pipe = try Pipe()
        let pair = try SocketPair()
        let null = try OwnedFD.open("/dev/null", O_RDWR)
        let given =
            streams.standard + [pipe.read.raw, pair.theirs.raw, leader]
            + (group?.tasks ?? []).map { $0.fd.raw }
        let fds = given.map { $0 < 0 ? null.raw : $0 }
        let started = try Entrance.start(
            program,
            fds,
            namespaces & CLONE_NEWPID,
            group?.unified?.fd.raw ?? -1
        )
        null.stay()
        withExtendedLifetime((group, streams)) {}
        pid = started.pid
        pidfd = OwnedFD(adopting: started.pidfd)
        plan = pipe.takeWriteEnd()
        reports = pair.takeOurs()

        var start = enter_start()
        start.magic = UInt32(ENTER_MAGIC)
        start.version = UInt32(ENTER_VERSION)
        start.namespaces = UInt32(bitPattern: namespaces & ~CLONE_NEWPID)
        start.cgroups = UInt32(group?.tasks.count ?? 0)
        start.death_signal = diesWithCaller ? UInt32(SIGKILL) : 0
        withUnsafeBytes(of: start) { write($0) }
    }

    /// Ignores errors: a mica-enter that is gone has reported why, or its exit status tells.
    private func write(_ bytes: UnsafeRawBufferPointer) {
        _ = bytes.baseAddress.map { clinux_write_quietly(plan.raw, $0, bytes.count) }
    }

    private static func start(
        _ program: borrowing OwnedFD,
        _ fds: [CInt],
        _ namespaces: Int32,
        _ cgroup: CInt
    ) throws -> (pid: Int32, pidfd: CInt) {
        var pidfd: CInt = -1
        let flags = UInt64(UInt32(bitPattern: namespaces))
        let pid = clinux_start(program.raw, EnterProgram.name, fds, Int32(fds.count), flags, cgroup, &pidfd)
        guard pid > 0 else {
            throw Failure(
                "start \(EnterProgram.name)",
                Errno(rawValue: -pid),
                exitCode: ExitStatus.failed.rawValue
            )
        }
        // It has been executed, and must not be again: a container finds it at /proc/self/exe.
        program.use { _ = fchmod($0, 0) }
        return (pid, pidfd)
    }

    deinit {
        guard !isGivenAway else { return }
        _ = clinux_pidfd_send_signal(pidfd.raw, SIGKILL)
        _ = clinux_wait(pidfd.raw)
    }

    /// Makes it carry out `plan`. Returns once the program runs, `isJoining` as another process than this one.
    /// `made` gets the paths that had to be created as mount points, also before a failure. Call it at most once.
    func go(_ plan: EnterPlan, isJoining: Bool, made: ([[UInt8]]) -> Void = { _ in }) throws
        -> ContainerProcess
    {
        guard let bytes = plan.finished() else {
            throw Failure(
                "the command line or the environment is too long",
                exitCode: ExitStatus.failed.rawValue
            )
        }
        bytes.withUnsafeBytes { write($0) }
        var told = try EnterReports(of: reports)
        made(told.made)
        let isRunning = told.failure == nil && told.isExecuting
        if isJoining {
            if let joined = told.takeProcess() {
                if isRunning {
                    return ContainerProcess(pid: told.pid, pidfd: joined, terminal: told.takeTerminal())
                }
                let status = ExitStatus(rawValue: clinux_wait(joined.raw))
                throw told.failure ?? Entrance.failure(status)
            }
        } else if isRunning {
            isGivenAway = true
            return ContainerProcess(pid: pid, pidfd: try pidfd.duplicate(), terminal: told.takeTerminal())
        }
        if let failure = told.failure { throw failure }
        // No process has the socket open any more: mica-enter has ended, or is about to.
        isGivenAway = true
        throw Entrance.failure(ExitStatus(rawValue: clinux_wait(pidfd.raw)))
    }

    /// The failure of one that ended with `status` without a report.
    private static func failure(_ status: ExitStatus) -> Failure {
        let how =
            status.rawValue > 128
            ? "was killed by signal \(status.rawValue - 128)" : "could not say what failed"
        // SIGSYS, or a system call that the filter refused.
        let isFiltered = status == .killed(by: SIGSYS) || status.rawValue <= 128
        return Failure(
            "\(EnterProgram.name) \(how)",
            advice: isFiltered
                ? "The seccomp profile may be why: it has to allow setgroups, setresgid, setresuid, capset, prctl, ppoll,"
                    + " chdir, getcwd, umask, sendmsg, execve and exit_group."
                : nil,
            exitCode: ExitStatus.failed.rawValue
        )
    }
}

/// socketpair(2), SOCK_SEQPACKET.
private struct SocketPair: ~Copyable {
    let ours: OwnedFD
    let theirs: OwnedFD

    init() throws(Errno) {
        var ends: [CInt] = [-1, -1]
        let result = clinux_socketpair(&ends)
        guard result == 0 else { throw Errno(rawValue: -result) }
        ours = OwnedFD(adopting: ends[0])
        theirs = OwnedFD(adopting: ends[1])
    }

    /// Closes the other end.
    consuming func takeOurs() -> OwnedFD { ours }
}
