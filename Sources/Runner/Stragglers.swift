import Linux
import SystemPackage

import Glibc

/// What keeps a container from ending after everything in it has been killed.
package enum Stragglers {
    /// Process 1 of a pid namespace ends after all others of it were waited for. The parent of one that entered it is
    /// outside, and may be stopped (Ctrl-Z): SIGCONT to each such parent.
    ///
    /// `leader`: process 1, in our pid namespace. Looks at every process there is.
    package static func wakeParents(ofThoseWith leader: Int32) {
        guard let namespace = namespace(of: leader) else { return }
        for pid in Processes.all {
            guard let status = ProcessStatus(of: pid), status.hasEnded, status.parent > 1,
                self.namespace(of: pid) == namespace, let parent = ProcessIdentity(of: status.parent),
                ProcessStatus(of: status.parent)?.isStopped == true
            else { continue }
            try? parent.send(Signal(rawValue: SIGCONT))
        }
    }

    private static func namespace(of pid: Int32) -> [UInt8]? { FilePath("/proc/\(pid)/ns/pid").target }
}
