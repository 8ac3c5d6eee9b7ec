import Foundation
import Linux
import MountFixtures
import Testing

/// Processes that do the same with different numbers: this program, started again to run one test alone.
enum Workers {
    enum Kind: String { case names, data, stripes }

    /// What one of them is to do.
    struct Task {
        let kind: Kind
        let path: String
        let seed: UInt64
        let number: Int

        /// Of the process's own; nil in one that was not started by `run`.
        static let own: Task? = ProcessInfo.processInfo.environment["MICA_WORKER"].flatMap { text in
            let fields = text.split(separator: " ", maxSplits: 3).map(String.init)
            guard fields.count == 4, let kind = Kind(rawValue: fields[0]), let seed = UInt64(fields[1]),
                let number = Int(fields[2])
            else { return nil }
            return Task(kind: kind, path: fields[3], seed: seed, number: number)
        }

        fileprivate var text: String { "\(kind.rawValue) \(seed) \(number) \(path)" }
    }

    /// What one prints at the end.
    static let done = "did its part"

    /// Two at once; throws what the first that failed printed.
    static func run(_ kind: Kind, at path: String, seed: UInt64) throws {
        let program = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let outputs = try Threads.run(2) { number in
            let task = Task(kind: kind, path: path, seed: seed, number: number)
            return try Tool.run(
                URL(fileURLWithPath: "/usr/bin/env"),
                ["MICA_WORKER=\(task.text)", program, "--testing-library", "swift-testing"]
                    + ["--filter", "One of several processes"]
            )
        }
        // One that found no test to run would have succeeded as well.
        for output in outputs where !output.contains(done) {
            throw Failure("a process that was to change \(path) did nothing: \(output)")
        }
    }
}

@Suite(
    .timeLimit(.minutes(Effort.minutes)),
    .enabled(if: Workers.Task.own != nil, "set MICA_WORKER to what one process is to do; other tests do")
)
struct `One of several processes` {
    @Test func `does its part`() throws {
        let task = try #require(Workers.Task.own)
        let seed = task.seed << 8 | UInt64(task.number)
        let difference: Difference? =
            switch task.kind {
            case .names: try `The names of files`.run(task, seed)
            case .data: try `The data of files`.run(task, seed)
            case .stripes: try `The data of files`.runStripes(task, seed)
            }
        #expect(difference == nil)
        print(Workers.done)
    }
}
