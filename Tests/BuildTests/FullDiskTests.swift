import Foundation
import Linux
import SystemPackage
import Testing

import Glibc

@Suite(
    .timeLimit(.minutes(40)),
    .enabled(if: BuildBox.isPossible, "mounts, and needs root, busybox-static and the built mica")
)
struct `Builds on a full disk` {
    let box: BuildBox

    init() throws { box = try BuildBox() }

    @Test func `fail at their line, whatever the step, and leave nothing`() throws {
        let disk = box.base.appending("disk")
        try disk.makeDirectory(mode: 0o700)
        try #require(mount("none", disk.string, "tmpfs", UInt(MS_NOSUID), "size=16m,mode=700") == 0)
        defer { umount2(disk.string, CInt(MNT_DETACH)) }
        let store = disk.appending("store")
        let variables = ["MICA_ROOT": store.string]
        try box.run(
            box.program.path,
            ["import", "-q", box.base.appending("base.tar").string, "base:1"],
            variables
        )
        let large = box.context.appending("large").string
        try box.run("/bin/dd", ["if=/dev/urandom", "of=\(large)", "bs=1M", "count=20", "status=none"])
        try box.run(
            "/bin/tar",
            ["-C", box.context.string, "-cf", box.context.appending("large.tar").string, "large"]
        )
        let cases = [
            ("COPY large /", "No space left on device"), ("ADD large.tar /d/", "No space left on device"),
            ("RUN head -c 20000000 /dev/urandom > /f", "it has ended with status 1"),
            // The upper has room, the layer that is made of it has none.
            ("RUN head -c 9000000 /dev/urandom > /f", "No space left on device"),
        ]
        for (instruction, reason) in cases {
            let result = try box.build("FROM base:1\n\n\(instruction)\n", ["--progress", "plain"], variables)
            #expect(result.status == 1, "\(instruction)")
            let line = result.error.split(separator: "\n").first { $0.hasPrefix("mica: ") } ?? ""
            #expect(line.hasPrefix("mica: Dockerfile:3: ") && line.contains(reason), "\(result.error)")
            #expect(result.error.contains("#2 ERROR"), "\(result.error)")
            #expect(try store.appending("snapshots").names().isEmpty, "\(instruction)")
            #expect(try store.appending("tmp").names().isEmpty, "\(instruction)")
            #expect(MountTable.current().targets(below: store).isEmpty, "\(instruction)")
        }
        let small = try box.build(
            "FROM base:1\nWORKDIR /d\nRUN echo text > f\nCOPY Dockerfile .\n",
            [],
            variables
        )
        #expect(small.status == 0, "\(small.error)")
        let archive = disk.appending("out.tar")
        try box.run("/bin/dd", ["if=/dev/zero", "of=\(disk)/rest", "bs=1M", "count=8", "status=none"])
        let written = try box.build(
            "FROM base:1\nRUN head -c 500000 /dev/urandom > /f; cp /f /g\n",
            ["-o", "type=docker,dest=\(archive)"],
            variables
        )
        #expect(written.status == 0 || written.error.contains("No space left on device"), "\(written.error)")
        #expect((written.status == 0) == archive.exists)
        let names = try disk.names().map { String(decoding: $0, as: UTF8.self) }.sorted()
        #expect(names == (archive.exists ? ["out.tar", "rest", "store"] : ["rest", "store"]))
        try box.run(box.program.path, ["fsck", "--deep"], variables)
    }
}
