import Foundation
import Linux
import MountFixtures
import SystemPackage
import Testing

import Glibc

/// micafs where something is missing that is there everywhere else.
@Suite(.timeLimit(.minutes(40)), .enabled(if: geteuid() == 0, "mounts"))
struct `In a narrow place` {
    let workspace: Workspace

    init() throws { workspace = try Workspace() }

    @Test(arguments: LowerForm.served, ["on", "off"])
    func `a write beyond the limit of a file's size says EFBIG, and the daemon lives`(
        form: LowerForm,
        metacopy: String
    ) throws {
        let directory = try workspace.directory("lower")
        try SmallTree.write("small\n", to: "\(directory)/small")
        try SmallTree.write(String(repeating: "x", count: 200_000), to: "\(directory)/large")
        let mount = try LayeredMount(
            Lower(directory, as: form, in: workspace),
            in: workspace,
            options: ["-o", "metacopy=\(metacopy)"],
            launcher: ["/usr/bin/prlimit", "--fsize=100000:100000"]
        )
        for name in ["small", "new"] {
            let file = try OwnedFD.open(FilePath("\(mount.path)/\(name)"), O_RDWR | O_CREAT, mode: 0o644)
            #expect(file.use { pwrite($0, "y", 1, 100_000) } == -1)
            #expect(Errno.last == .fileTooLarge)
            #expect(file.use { ftruncate($0, 100_001) } == -1)
            #expect(Errno.last == .fileTooLarge)
            #expect(file.use { pwrite($0, "S", 1, 0) } == 1)
        }
        let file = Glibc.open("\(mount.path)/large", O_WRONLY)
        #expect(write(file, "y", 1) == -1)
        #expect(Errno.last == .fileTooLarge)
        close(file)
        #expect(try SmallTree.read("\(mount.path)/small") == "Small\n")
        #expect(try SmallTree.read("\(mount.path)/new") == "S")
        let large = try SmallTree.read("\(mount.path)/large")
        #expect(large.utf8.count == 200_000 && large.allSatisfy { $0 == "x" })
        try mount.unmount()
    }

    @Test(arguments: LowerForm.served) func `a mount works where /proc is not mounted`(form: LowerForm) throws
    {
        let directory = try workspace.directory("lower")
        try SmallTree.write("below\n", to: "\(directory)/file")
        try FilePath("\(directory)/dir").makeDirectory()
        let lower = try Lower(directory, as: form, in: workspace)
        let home = try workspace.directory("home")
        for name in ["mount", "upper", "work"] { try FilePath("\(home)/\(name)").makeDirectory() }
        let micafs =
            ([Tool.binaries.appendingPathComponent("micafs").path]
            + lower.arguments(upper: "\(home)/upper", work: "\(home)/work")).joined(separator: " ")
        try Data(
            """
            set -eux
            mount --make-rprivate /
            umount -l /proc
            cd '\(home)'
            \(micafs) mount
            trap 'busybox umount -l mount' EXIT
            test "$(cat mount/file)" = below
            echo more >> mount/file
            chmod 600 mount/file; chown 5 mount/dir; setfattr -n user.x -v 1 mount/dir
            mkdir mount/made; mv mount/dir mount/moved; rm -r mount/made
            exec 5<> mount/file
            rm mount/file
            echo less >&5
            exec 5>&-
            test "$(echo mount/*)" = mount/moved
            """.utf8
        ).write(to: URL(fileURLWithPath: "\(workspace.path)/script"))
        try Tool.run(URL(fileURLWithPath: "/usr/bin/unshare"), ["--mount", "sh", "\(workspace.path)/script"])
    }

    /// From none at all to enough for a mount: each number ends in an answer.
    @Test(arguments: [3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 16, 20, 24])
    func `with so many descriptors micafs mounts, or says why not and leaves no mount`(count: Int) throws {
        let directory = try workspace.directory("lower")
        try SmallTree.write("below\n", to: "\(directory)/file")
        let lower = try Lower(directory, as: .directory, in: workspace)
        do {
            let mount = try LayeredMount(
                lower,
                in: workspace,
                launcher: ["/usr/bin/prlimit", "--nofile=\(count):\(count)"]
            )
            // It may have none left for this, but it is there.
            let file = Glibc.open("\(mount.path)/file", O_RDONLY)
            var byte: UInt8 = 0
            if read(file, &byte, 1) != 1 {
                #expect([.tooManyOpenFiles, .ioError, .badFileDescriptor].contains(Errno.last))
            }
            if file >= 0 { close(file) }
            var status = statvfs()
            #expect(statvfs(mount.path, &status) == 0)
            try mount.unmount()
        } catch {
            let words = "\((error as? Failure)?.description ?? "\(error)")"
            #expect(words.contains("Too many open files") || words.contains("says why"), "\(words)")
            let mounted = MountTable.current().entries.map(\.target.string)
            #expect(!mounted.contains { $0.hasPrefix(workspace.path) })
        }
    }
}
