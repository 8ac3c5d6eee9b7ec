package import SystemPackage

import CLinux
import Glibc

/// fusermount3(1), set-user-ID root, which unmounts what it mounted for ordinary users.
package enum Fusermount {
    /// As umount2(2) with UMOUNT_NOFOLLOW. EBUSY; EPERM where fusermount3 is missing or refuses. A target that is
    /// not mounted is no error.
    static func unmount(_ target: FilePath, _ how: Unmount.How) throws(Errno) {
        guard let program else { throw .notPermitted }
        let arguments = ["fusermount3", "-u"] + (how == .lazy ? ["-z"] : []) + ["--"]
        var list: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
        list.append(target.withPlatformString { strdup($0) })
        defer { for argument in list { free(argument) } }
        let errors = try Pipe()
        let pid = errors.write.use { descriptor -> CInt in
            (list + [nil]).map { UnsafePointer($0) }.withUnsafeBufferPointer { list in
                list.baseAddress.map { list in
                    program.withPlatformString { clinux_spawn_host($0, list, [-1, -1, descriptor], 3, 0) }
                } ?? -EINVAL
            }
        }
        guard pid > 0 else { throw Errno(rawValue: -pid) }
        // Reads until the program ends.
        let said = try? errors.takeReadEnd().contents(limit: 65536)
        var status: CInt = 0
        _ = try Errno.retrying { waitpid(pid, &status, 0) }
        guard status != 0 else { return }
        // Its messages are always in English. Looking for a text in a text would link regular expressions into micafs,
        // a megabyte.
        let words = (said ?? [])[...]
        if words.indices.contains(where: { words[$0...].starts(with: "busy".utf8) }) { throw .resourceBusy }
        guard MountTable.current().top(at: target) != nil else { return }
        throw .notPermitted
    }

    /// The first fusermount3 in PATH that may be executed, else the first that exists: the same that mounts.
    package static var program: FilePath? {
        let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
        let found = path.split(separator: ":").map { FilePath(String($0)).appending("fusermount3") }
        return found.first { $0.withPlatformString { access($0, X_OK) } == 0 } ?? found.first { $0.exists }
    }
}
