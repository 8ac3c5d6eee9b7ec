import Foundation
import Linux
import SystemPackage
import Testing

import Glibc

@Suite(
    .timeLimit(.minutes(40)),
    .enabled(if: BuildBox.isPossible, "mounts, and needs root, busybox-static and the built mica")
)
struct `Builds that are killed` {
    let box: BuildBox
    private let variables = ["SOURCE_DATE_EPOCH": "1700000000"]

    init() throws { box = try BuildBox() }

    private var output: FilePath { box.base.appending("out.tar") }

    private func start(_ log: String) throws -> Process {
        let process = box.process(
            box.program,
            ["build", "--progress", "plain", "-o", "type=docker,dest=\(output)", box.context.string],
            variables
        )
        guard FileManager.default.createFile(atPath: log, contents: nil),
            let file = FileHandle(forWritingAtPath: log)
        else { throw Errno.ioError }
        process.standardError = file
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        return process
    }

    /// Numbers and titles of the steps that a log says are `what`.
    private func steps(_ what: String, in log: String) throws -> Set<Substring> {
        let lines = try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n")
        let numbers = lines.filter { $0.contains(" \(what)") && !$0.contains("[") }.map {
            $0.prefix { $0 != " " }
        }
        let titles = lines.compactMap { line -> Substring? in
            guard let bracket = line.firstIndex(of: "["), let end = line.firstIndex(of: "]"), bracket < end,
                numbers.contains(line.prefix { $0 != " " })
            else { return nil }
            return line[line.index(after: end)...]
        }
        return Set(titles.filter { !$0.hasPrefix(" FROM") })
    }

    private func expectWhole(_ archive: FilePath) throws {
        #expect(try box.run("/bin/tar", ["-tf", archive.string]).contains("manifest.json"))
    }

    /// The moment differs, and what it hits; what is expected does not.
    @Test func `at any step leave nothing half done, and the next one goes on from there`() throws {
        for number in 0..<300 { try box.write("many/\(number)", String(repeating: "\(number) ", count: 500)) }
        try box.run(
            "/bin/tar",
            ["-C", box.context.string, "-cf", box.context.appending("many.tar").string, "many"]
        )
        try box.run("/bin/chmod", ["-R", "u=rwX,go=rX", box.context.string])
        let signals = [SIGKILL, SIGTERM, SIGINT, SIGKILL, SIGHUP, SIGKILL]
        for round in 0..<12 {
            try box.write(
                "Dockerfile",
                """
                FROM base:1 AS one
                WORKDIR /work/\(round)
                COPY many /many
                RUN for i in $(ls /many); do echo $i-\(round) > /work/$i; done
                ADD many.tar /unpacked\(round)/
                RUN rm -r /unpacked\(round)/many/1* && sleep 0.1
                FROM base:1 AS two
                RUN echo \(round) > /two; sleep 0.1
                FROM one
                COPY --from=two /two /two
                """
            )
            let (log, again) = (box.base.appending("log").string, box.base.appending("again").string)
            let build = try start(log)
            usleep(useconds_t(round * 90_000))
            kill(build.processIdentifier, signals[round % signals.count])
            build.waitUntilExit()
            #expect(try box.wait { MountTable.current().targets(below: box.base).isEmpty }, "round \(round)")
            if output.exists { try expectWhole(output) }
            #expect(
                try box.base.names().filter { $0.starts(with: ".out".utf8) }.isEmpty,
                "an unfinished archive is left"
            )
            let finished = try steps("DONE", in: log).union(steps("CACHED", in: log))
            let next = try start(again)
            next.waitUntilExit()
            let said = try String(contentsOfFile: again, encoding: .utf8)
            #expect(next.terminationStatus == 0, "\(said)")
            #expect(try steps("DONE", in: again).isDisjoint(with: finished), "round \(round)")
            try expectWhole(output)
            try output.unlink()
        }
        let options = ["build", "-q", box.context.string]
        let image = try box.run(box.program.path, options, variables)
        #expect(try box.run(box.program.path, options + ["--no-cache"], variables) == image)
        // A snapshot's directory may have outlived its row.
        try box.mica("gc")
        #expect(try box.isClean)
        #expect(try box.store.appending("tmp").names().isEmpty)
    }

    @Test func `as far as their micafs goes fail, whatever the command makes of it`() throws {
        try box.write(
            "Dockerfile",
            "FROM base:1\nRUN echo started; while cat /etc/passwd > /dev/null 2>&1; do sleep 0.1; done; exit 0\n"
        )
        let log = box.base.appending("log").string
        let build = try start(log)
        #expect(try box.wait { try String(contentsOfFile: log, encoding: .utf8).contains(" started\n") })
        let snapshots = box.store.appending("snapshots")
        let locks = try snapshots.names().map {
            snapshots.appending(String(decoding: $0, as: UTF8.self)).appending("step/mount.lock").string
        }
        for lock in locks {
            let text = try String(contentsOfFile: lock, encoding: .utf8)
            kill(try #require(pid_t(text.prefix { $0 != " " })), SIGKILL)
        }
        #expect(locks.count == 1)
        build.waitUntilExit()
        #expect(build.terminationStatus == 1)
        let said = try String(contentsOfFile: log, encoding: .utf8)
        #expect(
            said.contains("mica: Dockerfile:2: micafs, which serves the command's files, has ended"),
            "\(said)"
        )
        #expect(said.contains("#2 ERROR"))
        #expect(try box.isClean)
        try box.image("FROM base:1\nRUN true\n")
    }
}
