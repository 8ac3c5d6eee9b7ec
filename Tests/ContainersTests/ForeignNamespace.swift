import Linux
import SystemPackage

import Glibc

/// A process in a mount namespace of its own, with a copy of every mount that there is; it ends with the value.
final class ForeignNamespace {
    private let sleeper: Sleeper
    var pid: Int32 { sleeper.pid }

    init() throws {
        sleeper = try Sleeper(after: ":", by: ["/usr/bin/unshare", "-m", "--propagation", "private"])
    }

    /// The path of what this namespace shows at `path`, for this test's process.
    func path(_ path: FilePath) -> FilePath { FilePath("/proc/\(pid)/root\(path)") }

    /// Whether a mount is still in its table.
    func shows(_ target: FilePath) throws -> Bool {
        let table = try OwnedFD.open(FilePath("/proc/\(pid)/mountinfo"), O_RDONLY).contents(limit: 1 << 24)
        return MountTable(parsing: table).top(at: target) != nil
    }

    /// What reading a directory there comes to: nil for success. As opendir(3) does it, which asks for its attributes:
    /// the kernel may still have the names of a mount without a daemon.
    func failure(of path: FilePath) -> Errno? {
        do throws(Errno) {
            let directory = try OwnedFD.open(self.path(path), O_RDONLY | O_DIRECTORY)
            _ = try directory.status()
            _ = try directory.names()
            return nil
        } catch {
            return error
        }
    }
}
