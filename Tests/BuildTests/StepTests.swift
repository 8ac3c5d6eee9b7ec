import Foundation
import Linux
import SystemPackage
import Testing

import Glibc

@Suite(
    .timeLimit(.minutes(40)),
    .enabled(if: BuildBox.isPossible, "mounts, and needs root, busybox-static and the built mica")
)
struct `Steps of builds` {
    let box: BuildBox

    init() throws { box = try BuildBox() }

    private let random = "RUN head -c 16 /dev/urandom | od -x > /random\n"

    @Test func `are done once, also by another build, and survive a collection`() throws {
        let first = try box.image("FROM base:1\n" + random + "RUN echo a > /a\n", ["-t", "one"])
        try box.mica("gc")
        let second = try box.image("FROM base:1\n" + random + "RUN echo b > /b\n", ["-t", "two"])
        #expect(first != second)
        #expect(try box.shell("one", "cat /random") == box.shell("two", "cat /random"))
        // Nothing was done, so it is the same image.
        #expect(try box.image("FROM base:1\n" + random + "RUN echo b > /b\n") == second)
        let third = try box.image("FROM base:1\n" + random, ["--no-cache", "-t", "three"])
        #expect(try box.shell(third, "cat /random") != box.shell("one", "cat /random"))
        #expect(try box.isClean)
    }

    @Test func `are forgotten when that is asked for`() throws {
        let dockerfile = "FROM base:1\n" + random
        let first = try box.image(dockerfile)
        #expect(try box.mica("gc", "--explain").contains("RUN head -c 16"))
        try box.mica("gc", "--build-cache")
        #expect(try !box.mica("gc", "--explain").contains("RUN head -c 16"))
        #expect(try box.image(dockerfile) != first)
    }

    @Test func `of a changed file are done anew, and those of a touched file are not`() throws {
        try box.write("file", "one")
        let dockerfile = "FROM base:1\nCOPY file /file\n" + random
        try box.image(dockerfile, ["-t", "one"])
        try box.run("/bin/touch", ["-d", "2001-02-03", box.context.appending("file").string])
        try box.image(dockerfile, ["-t", "touched"])
        #expect(try box.shell("one", "cat /random") == box.shell("touched", "cat /random"))
        try box.run("/bin/chmod", ["700", box.context.appending("file").string])
        try box.image(dockerfile, ["-t", "mode"])
        #expect(try box.shell("one", "cat /random") != box.shell("mode", "cat /random"))
        try box.write("file", "two")
        try box.image(dockerfile, ["-t", "two"])
        #expect(try box.shell("two", "cat /file /random").hasPrefix("two"))
        #expect(try box.shell("two", "cat /random") != box.shell("mode", "cat /random"))
    }

    @Test func `depend on arguments that were declared, and on no secret`() throws {
        let dockerfile = "FROM base:1\nARG A=1\n" + random
        func image(_ options: String...) throws -> String {
            try box.shell(try box.image(dockerfile, options), "cat /random")
        }
        let first = try image()
        #expect(try image("--build-arg", "B=2") == first)
        #expect(try image("--build-arg", "A=2") != first)
        let secret = "FROM base:1\nRUN --mount=type=secret,id=s head -c 16 /dev/urandom | od -x > /random\n"
        try box.write("secret", "one")
        let options = ["--secret", "id=s,src=\(box.context.appending("secret"))"]
        let second = try box.image(secret, options)
        try box.write("secret", "two")
        #expect(try box.image(secret, options) == second)
    }

    @Test func `begin caches with what a stage has, once for each such thing`() throws {
        func dockerfile(_ text: String, _ command: String) -> String {
            """
            FROM base:1 AS seed
            RUN mkdir -p /seed/in && echo \(text) > /seed/in/file && chown 7:8 /seed /seed/in/file && chmod 750 /seed
            FROM base:1
            RUN --mount=type=cache,from=seed,source=seed,id=c,target=/c \(command)
            """
        }
        let first = try box.image(
            dockerfile(
                "one",
                "cat /c/in/file > /seen; stat -c '%u:%g %a' /c /c/in/file >> /seen; echo more > /c/more"
            )
        )
        #expect(try box.shell(first, "cat /seen") == "one\n7:8 750\n7:8 644\n")
        // What was written stays, as long as the stage is the same.
        let second = try box.image(dockerfile("one", "cat /c/in/file /c/more > /seen"))
        #expect(try box.shell(second, "cat /seen") == "one\nmore\n")
        let third = try box.image(
            dockerfile("two", "cat /c/in/file /c/* > /seen 2>/dev/null; ls /c >> /seen")
        )
        #expect(try box.shell(third, "cat /seen") == "two\nin\n")
        // Owner and mode are those that are asked for; an image serves as well as a stage.
        let fourth = try box.image(
            """
            FROM base:1
            RUN --mount=type=cache,from=base:1,source=/etc,target=/c,uid=9,gid=10,mode=0711,sharing=private \
                stat -c '%u:%g %a' /c > /seen; test -f /c/passwd && echo there >> /seen
            """
        )
        #expect(try box.shell(fourth, "cat /seen") == "9:10 711\nthere\n")
        for (mount, words) in [
            ("source=/a,target=/c", "wants from="), ("from=base:1,source=/none,target=/c", "is not there"),
            ("from=base:1,source=/etc/passwd,target=/c", "is not a directory"),
        ] {
            let result = try box.build("FROM base:1\nRUN --mount=type=cache,\(mount) true\n")
            #expect(result.status == 1 && result.error.contains("Dockerfile:2: "), "\(result.error)")
            #expect(result.error.contains(words), "\(result.error)")
        }
        #expect(try box.isClean)
    }

    @Test func `mount what stages and images have, and drop what is written there`() throws {
        let id = try box.image(
            """
            FROM base:1 AS seed
            RUN mkdir /seed && echo one > /seed/file
            FROM base:1
            RUN --mount=type=bind,from=seed,source=seed,target=/a cat /a/file > /seen && ! touch /a/new
            RUN --mount=from=seed,source=/seed/file,target=/b cat /b >> /seen
            RUN --mount=type=bind,from=seed,source=seed,target=/a,rw echo two > /a/file && cat /a/file >> /seen
            RUN --mount=from=seed,source=seed,target=/a --mount=from=base:1,target=/c \
                cat /a/file >> /seen && test -d /c/etc
            """
        )
        #expect(try box.shell(id, "cat /seen") == "one\none\ntwo\none\n")
    }

    @Test func `are told as JSON, a status a line`() throws {
        let dockerfile = "FROM base:1\nRUN echo words; echo x > /x\n"
        func lines(_ text: String) throws -> [[String: Any]] {
            try text.split(separator: "\n").compactMap {
                try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]
            }
        }
        func vertexes(_ lines: [[String: Any]]) -> [[String: Any]] {
            lines.flatMap { $0["vertexes"] as? [[String: Any]] ?? [] }
        }
        let first = try lines(try box.build(dockerfile, ["--progress", "rawjson"]).error)
        let run = vertexes(first).filter { ($0["name"] as? String)?.contains("RUN echo words") == true }
        #expect(run.count == 2 && run[0]["completed"] == nil && run[1]["completed"] is String)
        let digest = try #require(run.first?["digest"] as? String)
        #expect(run.allSatisfy { $0["digest"] as? String == digest && $0["started"] is String })
        let logs = first.flatMap { $0["logs"] as? [[String: Any]] ?? [] }
        let written = logs.filter { $0["vertex"] as? String == digest }
            .compactMap { ($0["data"] as? String).flatMap { Data(base64Encoded: $0) } }
        #expect(String(decoding: written.joined(), as: UTF8.self) == "words\n")
        let second = try lines(try box.build(dockerfile, ["--progress=rawjson"]).error)
        #expect(vertexes(second).contains { $0["cached"] as? Bool == true })
        let failed = try box.build("FROM base:1\nRUN exit 3\n", ["--progress", "rawjson"])
        #expect(failed.status == 1)
        #expect(failed.error.split(separator: "\n").contains { $0.contains("\"error\":") })
    }

    @Test func `give the same image on two stores with SOURCE_DATE_EPOCH`() throws {
        let other = try BuildBox()
        var images: [String] = []
        for box in [box, other] {
            // The bases are equal only if they are the same tar.
            if box === other {
                try box.mica("rmi", "base:1")
                try box.run("/bin/cp", [self.box.base.appending("saved").string, box.base.string])
                try box.mica("load", "-i", box.base.appending("saved").string)
            } else {
                try box.mica("save", "-o", box.base.appending("saved").string, "base:1")
            }
            try box.write("dir/file", "text")
            try box.run("/bin/chmod", ["-R", "u=rwX,go=rX", box.context.string])
            images.append(
                try box.image(
                    """
                    FROM base:1
                    WORKDIR /work/deep
                    COPY dir ./
                    COPY <<EOF /written
                    text
                    EOF
                    RUN mkdir /made && echo text > /made/file && ln -s file /made/link && rm /bin/tty
                    RUN echo more >> /made/file
                    CMD ["true"]
                    """,
                    [],
                    ["SOURCE_DATE_EPOCH": "1700000000"]
                )
            )
        }
        #expect(images[0] == images[1])
    }

    @Test func `of a build that is killed leave nothing, and finished ones are kept`() throws {
        let dockerfile = "FROM base:1\n" + random + "RUN echo started; sleep 1000\n"
        for signal in [SIGKILL, SIGTERM] {
            try box.write("Dockerfile", dockerfile)
            let process = box.process(box.program, ["build", box.context.string])
            let log = box.base.appending("log").string
            guard FileManager.default.createFile(atPath: log, contents: nil),
                let file = FileHandle(forWritingAtPath: log)
            else { throw Errno.ioError }
            process.standardError = file
            process.standardOutput = FileHandle.nullDevice
            try process.run()
            let isStarted = try box.wait {
                try String(contentsOfFile: log, encoding: .utf8).contains(" started\n")
            }
            #expect(isStarted)
            kill(process.processIdentifier, signal)
            process.waitUntilExit()
            #expect(process.terminationReason == .uncaughtSignal)
            #expect(process.terminationStatus == signal)
            // The mount ends by itself, also behind a process that could do nothing.
            #expect(try box.wait { MountTable.current().targets(below: box.base).isEmpty })
            #expect(try box.mica("ps", "-a").split(separator: "\n").count == 1)
            #expect(try box.wait { try box.isClean })
        }
        let result = try box.build("FROM base:1\n" + random)
        #expect(result.error.contains("CACHED"))
    }

    @Test func `that fail are named with their line, and what they wrote last is shown`() throws {
        let result = try box.build("FROM base:1\n\nRUN echo why; exit 7\n")
        #expect(result.status == 1)
        #expect(result.error.contains("why\n"))
        #expect(result.error.contains("mica: Dockerfile:3: the command failed: it has ended with status 7"))
        let quiet = try box.build("FROM base:1\n\nRUN echo why; exit 7\n", ["--quiet"])
        #expect(quiet.error.contains("why\n"))
        #expect(try box.isClean)
    }
}
