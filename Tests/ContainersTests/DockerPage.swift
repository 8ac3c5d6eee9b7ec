import Foundation

/// The tables of docs/docker.md.
struct DockerPage {
    struct Line: Sendable, CustomStringConvertible {
        /// What a shell is given to try it: with `$MICA`, and what is tried in the place of OPTION. nil: a verb.
        var command: String?
        var words: String
        /// works, differs, not there
        var outcome: String
        /// What the last column says, as a terminal shows it.
        var text: String

        var description: String { words }
    }

    let lines: [Line]

    static let path = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("docs/docker.md")

    init() throws {
        var lines: [Line] = []
        var command: String?
        for line in try String(contentsOf: DockerPage.path, encoding: .utf8).split(separator: "\n") {
            if line.hasPrefix("<!-- try: ") { command = String(line.dropFirst(10).dropLast(4)) }
            guard line.hasPrefix("| `") else { continue }
            let cells = line.replacing("\\|", with: "\u{1}").split(
                separator: "|",
                omittingEmptySubsequences: false
            )
            .map { $0.trimmingCharacters(in: .whitespaces).replacing("\u{1}", with: "|") }
            // Behind the words may be whose they are: `untag` (podman)
            let words = cells[1].split(separator: "`", omittingEmptySubsequences: false)
            for (position, word) in words.enumerated() where position % 2 == 1 {
                lines.append(
                    Line(
                        command: command?.replacing("OPTION", with: word),
                        words: String(word),
                        outcome: cells[2],
                        text: cells[3].replacing("`", with: "")
                    )
                )
            }
        }
        self.lines = lines
    }
}
