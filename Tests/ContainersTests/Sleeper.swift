import Linux
import Runner
import SystemPackage

import Glibc

/// A process that does nothing until the value goes. It has none of the test's descriptors: Foundation's `Process`, by
/// which other tests wait for theirs, would take it for one of those.
final class Sleeper {
    private let process: HostProcess
    var pid: Int32 { process.pid }

    /// Returns when it sleeps. `command`: of the shell, before that; it may not start others.
    init(after command: String, by launcher: [String] = []) throws {
        let shell = ["/bin/sh", "-c", "\(command) && exec sleep 1000"]
        process = try HostProcess(launcher + shell, descriptors: [nil, nil, nil])
        while !commandLine.starts(with: "sleep".utf8) {
            guard !hasEnded else { throw Errno.noSuchProcess }
            usleep(10_000)
        }
    }

    /// No process has waited for it.
    private var hasEnded: Bool {
        let stat = (try? OwnedFD.open(FilePath("/proc/\(pid)/stat"), O_RDONLY).contents(limit: 4096)) ?? []
        return stat.split(separator: UInt8(ascii: ")")).last?.starts(with: " Z".utf8) ?? true
    }

    private var commandLine: [UInt8] {
        (try? OwnedFD.open(FilePath("/proc/\(pid)/cmdline"), O_RDONLY).contents(limit: 4096)) ?? []
    }

    deinit {
        kill(pid, SIGKILL)
        _ = try? process.wait()
    }
}
