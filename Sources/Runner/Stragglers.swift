package import Linux
import SystemPackage

/// What keeps a container from ending after everything in it has been killed.
package enum Stragglers {
    /// Process 1 of a pid namespace ends after all others of it were waited for. The parent of one that entered it is
    /// outside, and may be stopped (Ctrl-Z): `signal` to each such parent, SIGCONT, or SIGKILL where that is in vain.
    ///
    /// `leader`: process 1. Looks at every process there is.
    package static func send(_ signal: Signal, toParentsOfThoseWith leader: ProcessIdentity) {
        // Asked while it can't be another's: the number is its own for as long as it has not ended.
        guard let namespace = namespace(of: leader.pid), leader.open() != nil else { return }
        for pid in Processes.all {
            guard let status = ProcessStatus(of: pid), status.hasEnded, status.parent > 1,
                self.namespace(of: pid) == namespace, let parent = ProcessIdentity(of: status.parent)
            else { continue }
            send(signal, ifStopped: parent)
        }
    }

    /// `signal` to a process that is stopped. To others nothing: they are at work.
    package static func send(_ signal: Signal, ifStopped process: ProcessIdentity) {
        guard let status = ProcessStatus(of: process.pid), status.isStopped else { return }
        try? process.send(signal)
    }

    private static func namespace(of pid: Int32) -> [UInt8]? { FilePath("/proc/\(pid)/ns/pid").target }
}
