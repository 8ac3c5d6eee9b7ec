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
