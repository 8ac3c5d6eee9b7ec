import Linux
import SystemPackage

import Glibc

/// A process in a mount namespace of its own, with a copy of every mount that there is. It has none of the test's
/// descriptors, and ends with the value.
final class OtherNamespace {
    private let process: HostProcess
    private var hasEnded = false
    var pid: Int32 { process.pid }

    /// Returns once `command` has done its work there.
    init(after command: String) throws {
        process = try HostProcess(
            [
                "/usr/bin/unshare", "-m", "--propagation", "private", "/bin/sh", "-c",
                "\(command) && exec sleep 1000",
            ],
            descriptors: [nil, nil, nil]
        )
        while !contents("cmdline").starts(with: "sleep".utf8) {
            guard isRunning else { throw Failure("\(command) failed in a mount namespace of its own") }
            usleep(10_000)
        }
    }

    /// Its namespace goes with it.
    func end() {
        guard !hasEnded else { return }
        hasEnded = true
        kill(pid, SIGKILL)
        _ = try? process.wait()
    }

    /// It is not a zombie.
    private var isRunning: Bool {
        contents("stat").split(separator: UInt8(ascii: ")")).last?.starts(with: " Z".utf8) == false
    }

    private func contents(_ name: String) -> [UInt8] {
        (try? OwnedFD.open(FilePath("/proc/\(pid)/\(name)"), O_RDONLY).contents(limit: 4096)) ?? []
    }

    deinit { end() }
}
