import Linux
import SystemPackage

import CLinux
import Glibc

/// What keeps a container from ending after everything in it has been killed.
package enum Stragglers {
    /// Process 1 of a pid namespace ends after all others of it were waited for. The parent of one that entered it is
    /// outside, and may be stopped (Ctrl-Z): SIGCONT to each such parent.
    ///
    /// `leader`: process 1, in our pid namespace. Looks at every process there is.
    package static func wakeParents(ofThoseWith leader: Int32) {
        guard let namespace = namespace(of: leader), let names = try? FilePath("/proc").names() else {
            return
        }
        for pid in names.compactMap({ Int32(String(decoding: $0, as: UTF8.self)) }) {
            guard let status = ProcessStatus(of: pid), status.hasEnded, status.parent > 1,
                self.namespace(of: pid) == namespace, let parent = ProcessIdentity(of: status.parent),
                ProcessStatus(of: status.parent)?.isStopped == true
            else { continue }
            try? parent.send(Signal(rawValue: SIGCONT))
        }
    }

    private static func namespace(of pid: Int32) -> [CChar]? {
        var link = [CChar](repeating: 0, count: 64)
        let length = readlink("/proc/\(pid)/ns/pid", &link, link.count)
        return length > 0 && length < link.count ? link : nil
    }
}
