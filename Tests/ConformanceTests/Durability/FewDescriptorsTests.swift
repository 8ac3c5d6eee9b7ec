import Linux
import MountFixtures
import SystemPackage
import Testing

import Glibc

/// micafs with fewer descriptors than it would like.
@Suite(.enabled(if: geteuid() == 0, "mounts"))
struct `With few descriptors` {
    @Test(arguments: LowerForm.served)
    func `what fails says EMFILE, and every file is whole, changed or not`(form: LowerForm) throws {
        let workspace = try Workspace()
        let root = try workspace.directory("lower")
        let count = 150
        for number in 0..<count {
            try SmallTree.write("old", to: "\(try workspace.directory("lower/\(number)"))/file")
        }
        let mount = try LayeredMount(
            Lower(root, as: form, in: workspace),
            in: workspace,
            launcher: ["/usr/bin/prlimit", "--nofile=60:60"]
        )
        var expected: [String] = []
        for number in 0..<count {
            let file = open("\(mount.path)/\(number)/file", O_WRONLY | O_APPEND | O_CLOEXEC)
            let error = Errno.last
            let written = file >= 0 ? write(file, "new", 3) : -1
            if written != 3 { #expect((file >= 0 ? Errno.last : error) == .tooManyOpenFiles) }
            if file >= 0 { close(file) }
            expected.append(written == 3 ? "oldnew" : "old")
            if mkdir("\(mount.path)/\(number)/made", 0o755) != 0 { #expect(Errno.last == .tooManyOpenFiles) }
        }
        try mount.remount()
        for number in 0..<count {
            #expect(try SmallTree.read("\(mount.path)/\(number)/file") == expected[number])
        }
        try mount.unmount()
    }
}
