import Foundation
import Linux
import SystemPackage
import Testing

@Suite(
    .timeLimit(.minutes(40)),
    .enabled(
        if: BuildBox.isPossible && FilePath("/usr/bin/script").exists,
        "mounts, and needs root, busybox-static, script(1) and the built mica"
    )
)
struct `What a build shows` {
    let box: BuildBox

    init() throws { box = try BuildBox() }

    /// What a terminal gets, without what redraws lines: up so many lines, and erase what is below.
    private func shown(_ dockerfile: String, _ options: String) throws -> String {
        try box.write("Dockerfile", dockerfile)
        let command = "stty cols 200 rows 40; '\(box.program.path)' build \(options) '\(box.context)'; true"
        let bytes = try box.run("/usr/bin/script", ["-qec", command, "/dev/null"], ["TERM": "xterm"])
        return bytes.replacing(#/\u{1b}\[[0-9]+A\u{1b}\[J/#, with: "").replacing("\r\n", with: "\n")
    }

    @Test func `on a terminal is a line for each step, with its time`() throws {
        let text = try shown("FROM base:1\nWORKDIR /d\nRUN echo said > f\n", "-t one:1")
        let lines = text.split(separator: "\n")
        for title in ["=> [1/3] FROM base:1", "=> [2/3] WORKDIR /d", "=> [3/3] RUN echo said"] {
            #expect(lines.contains { $0.contains(title) && $0.hasSuffix("s") }, "\(text)")
        }
        #expect(try shown("FROM base:1\nWORKDIR /d\nRUN echo said > f\n", "").contains("=> CACHED [3/3] RUN"))
        #expect(lines.last?.hasPrefix("sha256:") == true)
    }

    @Test func `of a step that fails is what it wrote last, and where it is`() throws {
        for progress in ["tty", "plain"] {
            let text = try shown(
                "FROM base:1\nRUN echo one; echo two >&2; exit 3\n",
                "--progress \(progress)"
            )
            for part in [
                "one\n", "two\n", "mica: Dockerfile:2: the command failed: it has ended with status 3",
            ] {
                #expect(text.contains(part), "\(progress): \(text)")
            }
            let copied = try shown("FROM base:1\nCOPY missing /\n", "--progress \(progress)")
            #expect(copied.contains(progress == "tty" ? "=> ERROR [2/2] COPY" : "#2 ERROR"), "\(copied)")
        }
    }

    /// A Dockerfile is somebody else's.
    @Test func `has no control characters, whoever wrote them`() throws {
        let evil = "\u{1b}]0;title\u{7}\u{1b}[31m\u{9b}1m\u{202e}"
        let dockerfiles = [
            "FROM base:1\nRUN echo '\(evil)' > /dev/null\n", "FROM base:1\nRUN echo '\(evil)'\n",
            "FROM base:1\nRUN printf '\\033]0;t\\007\\033[2J\\302\\2331m\\b\\rX\\n\\033[2J'; exit 4\n",
            "FROM base:1\nCOPY a\(evil) /\n", "FROM base:1\nWORKDIR /\(evil)\n",
            "FROM base:1\nUSER \(evil)\nRUN true\n",
            "FROM base:1\nRUN [\"/\(evil)\"]\n", "FROM base:1\n\(evil) x\n", "FROM \(evil)\n",
            "FROM base:1 AS \(evil)\n",
            "FROM base:1\nCOPY --from=\(evil) a /\n", "FROM base:1\nCOPY --chown=\(evil) Dockerfile /\n",
            "FROM base:1\nRUN --mount=type=secret,id=\(evil),required true\n",
            "# syntax=\(evil)\nFROM base:1\n",
            "FROM base:1\nARG A=${B:?\(evil)}\n", "FROM base:1\nEXPOSE \(evil)\n",
        ]
        for dockerfile in dockerfiles {
            for progress in ["tty", "plain"] {
                let text = try shown(dockerfile, "--progress \(progress)")
                let odd = text.unicodeScalars.filter { $0 != "\n" && Printable.isControl($0) }
                #expect(odd.isEmpty, "\(Printable.text(dockerfile)) \(progress): \(Printable.text(text))")
            }
        }
    }
}
