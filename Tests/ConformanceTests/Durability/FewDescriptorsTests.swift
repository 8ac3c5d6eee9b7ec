import Linux
import MountFixtures
import SystemPackage
import Testing

import Glibc

/// micafs with fewer descriptors than it would like.
@Suite(.timeLimit(.minutes(40)), .enabled(if: geteuid() == 0, "mounts"))
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

    @Test(arguments: LowerForm.served)
    func `any number of files may be deleted while they are open`(form: LowerForm) throws {
        let workspace = try Workspace()
        let root = try workspace.directory("lower")
        let mount = try LayeredMount(
            Lower(root, as: form, in: workspace),
            in: workspace,
            launcher: ["/usr/bin/prlimit", "--nofile=200:200"]
        )
        var files: [OpenFile] = []
        for number in 0..<300 {
            let path = "\(mount.path)/file\(number)"
            files.append(OpenFile(try OwnedFD.open(FilePath(path), O_RDWR | O_CREAT, mode: 0o600)))
            try files[number].fd.writeAll(Array("\(number)".utf8))
            if number.isMultiple(of: 2) {
                #expect(unlink(path) == 0)
            } else {
                #expect(rename(path, "\(mount.path)/replaced") == 0)
            }
        }
        var directories: [OpenFile] = []
        for number in 0..<120 {
            let (old, new) = ("\(mount.path)/old\(number)", "\(mount.path)/new\(number)")
            #expect(mkdir(old, 0o755) == 0 && mkdir(new, 0o755) == 0)
            try SmallTree.write("in it", to: "\(new)/file")
            directories.append(OpenFile(try OwnedFD.open(FilePath(old), O_RDONLY | O_DIRECTORY)))
            #expect(rename(new, old) == 0)
            #expect(try SmallTree.read("\(old)/file") == "in it")
            #expect(try directories[number].fd.status().st_nlink == 0)
            #expect(try directories[number].fd.names().isEmpty)
        }
        directories.removeAll()
        for number in 0..<20 {
            #expect(mkdir("\(mount.path)/made\(number)", 0o755) == 0)
            try SmallTree.write("new", to: "\(mount.path)/made\(number)/file")
        }
        for (number, file) in files.enumerated() {
            _ = file.fd.use { lseek($0, 0, SEEK_SET) }
            #expect(try file.fd.contents(limit: 100) == Array("\(number)".utf8))
        }
        files.removeAll()
        try mount.unmount()
    }
}
