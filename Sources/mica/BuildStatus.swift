import Build
import FoundationEssentials
import Linux
import OCI

import Glibc

/// One line of `--progress rawjson`: a status as BuildKit's client gives it, of one event.
struct BuildStatus: Encodable {
    private struct Vertex: Encodable {
        var digest: String
        var name: String
        var started: String?
        var completed: String?
        var cached: Bool?
        var error: String?
    }
    private struct Log: Encodable {
        var vertex: String
        /// 1: what a command writes, to either of its two outputs.
        var stream = 1
        var data: Data
        var timestamp: String
    }
    private struct Warning: Encodable {
        var level = 1
        var short: Data
    }

    private var vertexes: [Vertex]?
    private var logs: [Log]?
    private var warnings: [Warning]?

    /// Steps so far: what they are called, and when they began.
    struct Steps {
        fileprivate var known: [Int: (title: String, began: String)] = [:]
    }

    init(_ event: BuildEvent, _ steps: inout Steps) {
        let now = BuildStatus.now
        switch event {
        case .began(let number, let title):
            steps.known[number] = (title, now)
            vertexes = [vertex(number, steps)]
        case .output(let number, let bytes):
            logs = [Log(vertex: BuildStatus.digest(number, steps), data: Data(bytes), timestamp: now)]
        case .cached(let number):
            vertexes = [vertex(number, steps)]
            vertexes?[0].completed = now
            vertexes?[0].cached = true
        case .done(let number):
            vertexes = [vertex(number, steps)]
            vertexes?[0].completed = now
        case .failed(let number, _):
            vertexes = [vertex(number, steps)]
            vertexes?[0].completed = now
            vertexes?[0].error = "the command failed"
        case .warning(let text): warnings = [Warning(short: Data(text.utf8))]
        }
    }

    private func vertex(_ number: Int, _ steps: Steps) -> Vertex {
        Vertex(
            digest: BuildStatus.digest(number, steps),
            name: steps.known[number]?.title ?? "",
            started: steps.known[number]?.began
        )
    }

    /// Of a step in this build: there is no other one with its number.
    private static func digest(_ number: Int, _ steps: Steps) -> String {
        "\(SHA256.digest(of: Array("\(number) \(steps.known[number]?.title ?? "")".utf8)))"
    }

    /// RFC 3339, with nanoseconds.
    private static var now: String {
        let time = KernelClock.now(CLOCK_REALTIME)
        let (seconds, rest) = time.quotientAndRemainder(dividingBy: 1_000_000_000)
        let digits = "\(rest)"
        let fraction = String(repeating: "0", count: max(0, 9 - digits.count)) + digits
        return "\(Timestamp.text(seconds).dropLast()).\(fraction)Z"
    }
}
