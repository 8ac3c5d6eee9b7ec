import Synchronization
package import SystemPackage

import CLinux
import Glibc

/// One of mica's helper programs, outside of any container.
package struct HostProcess: Sendable {
    package let pid: Int32

    /// Starts `arguments[0]`, a path. `descriptors[i]`, which must be above 2, i itself, or nil (/dev/null), becomes
    /// its descriptor i; it has no others. It is a child of this process; `inSession`: with a session of its own.
    package init(_ arguments: [String], descriptors: [CInt?], inSession: Bool = false) throws {
        let memory = CStrings()
        let fds = descriptors.map { $0 ?? -1 }
        let pid = withExtendedLifetime(memory) {
            clinux_spawn_host(
                memory.string(arguments[0]),
                memory.list(arguments),
                fds,
                Int32(fds.count),
                inSession ? 1 : 0
            )
        }
        guard pid > 0 else { throw Failure("start \(arguments[0])", Errno(rawValue: -pid)) }
        self.pid = pid
    }

    /// The path of the running program.
    package static func program() throws -> FilePath {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        guard count > 0 else { throw Failure("read /proc/self/exe", .last) }
        return FilePath(platformString: buffer)
    }

    private static let left = Mutex<[Int32]>([])

    /// The caller will not wait for the process, which may go on for as long as it likes: `reapLeft` does.
    package func leave() { HostProcess.left.withLock { $0.append(pid) } }

    /// Reaps the processes that were left and have ended. For long-lived callers, from time to time.
    package static func reapLeft() {
        left.withLock { pids in pids.removeAll { waitpid($0, nil, WNOHANG) != 0 } }
    }

    /// Waits for the end, and may be called once. 128 + n when signal n killed the process.
    package func wait() throws -> Int32 {
        var status: Int32 = 0
        try naming("wait for process \(pid)") { _ = try Errno.retrying { waitpid(pid, &status, 0) } }
        let signal = status & 0x7f
        return signal == 0 ? status >> 8 & 0xff : 128 + signal
    }
}
