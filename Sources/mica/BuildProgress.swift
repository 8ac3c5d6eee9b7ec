import CLinux
import ArgumentParser
import Build
import Linux
import OCI
import Synchronization

import Glibc

/// Shows on standard error what a build does, in the manner of BuildKit: one line for each step that is redrawn on a
/// terminal, with the last lines of what its command writes; elsewhere, or with --progress plain, all lines as they come. With
/// --progress rawjson, each event as BuildKit's client writes it.
final class BuildProgress: Sendable {
    enum Kind: String, CaseIterable, ExpressibleByArgument {
        case auto, plain, tty, rawjson, none

        static var allCases: [Kind] { [.auto, .plain, .tty, .rawjson] }
        static var allValueStrings: [String] { allCases.map(\.rawValue) }
        init?(argument: String) {
            guard let kind = Kind(rawValue: argument), kind != .none else { return nil }
            self = kind
        }
    }

    private struct Step {
        var title: String
        var began: Int64
        var ended: Int64?
        var note = ""
        /// The end of what its command wrote, without a newline.
        var rest: [UInt8] = []
        var lines: [String] = []
    }

    private struct State {
        var steps: [Int: Step] = [:]
        /// Lines of the last drawing that are above the cursor.
        var drawn = 0
        var lastDrawing: Int64 = 0
        /// Steps that are drawn for good.
        var settled = 0
        var raw = BuildStatus.Steps()
    }

    private static let shownLines = 6
    private let state = Mutex(State())
    private let kind: Kind

    init(_ kind: Kind) {
        let isTerminal = isatty(STDERR_FILENO) == 1 && environment("TERM") != "dumb"
        self.kind = kind == .auto ? (isTerminal ? .tty : .plain) : kind
    }

    func show(_ event: BuildEvent) {
        state.withLock { state in
            guard kind != .rawjson else {
                let line = (try? JSONDocument.encode(BuildStatus(event, &state.raw))) ?? []
                return put(String(decoding: line, as: UTF8.self) + "\n")
            }
            switch event {
            case .began(let number, let title):
                state.steps[number] = Step(title: Printable.text(title), began: BuildProgress.now)
                say(&state, number, Printable.text(title), isTitle: true)
            case .output(let number, let bytes): add(bytes, to: number, &state)
            case .cached(let number): end(number, "CACHED", &state)
            case .done(let number): end(number, nil, &state)
            case .failed(let number, let lines): fail(number, lines, &state)
            case .warning(let text):
                guard kind != .none else { return }
                erase(&state)
                put("warning: \(Printable.text(text))\n")
            }
            draw(&state, isForced: false)
        }
    }

    /// The build has failed: steps that have not ended are those that did.
    func fail() {
        state.withLock { state in
            for number in state.steps.keys.sorted() where state.steps[number]?.ended == nil {
                end(number, "ERROR", &state)
            }
            draw(&state, isForced: true)
        }
    }

    func close() { state.withLock { draw(&$0, isForced: true) } }

    // MARK: - Plain

    private func say(_ state: inout State, _ number: Int, _ line: String, isTitle: Bool = false) {
        guard kind == .plain else { return }
        let since = BuildProgress.seconds(BuildProgress.now - (state.steps[number]?.began ?? 0))
        put("#\(number) \(isTitle ? "" : "\(since) ")\(line)\n")
    }

    private func add(_ bytes: [UInt8], to number: Int, _ state: inout State) {
        guard kind != .none else { return }
        var rest = (state.steps[number]?.rest ?? []) + bytes
        while let end = rest.firstIndex(of: 0x0a) {
            let line = Printable.text(String(decoding: BuildProgress.visible(rest[..<end]), as: UTF8.self))
            rest.removeSubrange(...end)
            state.steps[number]?.lines.append(line)
            if let count = state.steps[number]?.lines.count, count > BuildProgress.shownLines {
                state.steps[number]?.lines.removeFirst(count - BuildProgress.shownLines)
            }
            say(&state, number, line)
        }
        // A line without an end must not take all memory.
        state.steps[number]?.rest = rest.count > 1 << 16 ? Array(rest.suffix(1 << 15)) : rest
    }

    /// What a carriage return leaves to be seen.
    private static func visible(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var line = line
        while line.last == 0x0d { line.removeLast() }
        guard let last = line.lastIndex(of: 0x0d) else { return line }
        return line[(last + 1)...]
    }

    private func end(_ number: Int, _ note: String?, _ state: inout State) {
        guard var step = state.steps[number] else { return }
        let now = BuildProgress.now
        if kind == .plain {
            if !step.rest.isEmpty { add([0x0a], to: number, &state) }
            put("#\(number) \(note ?? "DONE \(BuildProgress.seconds(now - step.began))s")\n\n")
        }
        step.ended = now
        step.note = note ?? ""
        step.lines = []
        step.rest = []
        state.steps[number] = step
    }

    private func fail(_ number: Int, _ lines: [String], _ state: inout State) {
        guard kind != .plain else {
            return end(number, "ERROR", &state)
        }
        let title = state.steps[number]?.title ?? ""
        end(number, "ERROR", &state)
        if kind == .tty { draw(&state, isForced: true) }
        put("------\n > \(title):\n")
        for line in lines { put("\(Printable.text(line))\n") }
        put("------\n")
        state.drawn = 0
        state.settled = state.steps.count
    }

    // MARK: - Terminal

    private func erase(_ state: inout State) {
        guard kind == .tty, state.drawn > 0 else { return }
        put("\u{1b}[\(state.drawn)A\u{1b}[J")
        state.drawn = 0
    }

    private func draw(_ state: inout State, isForced: Bool) {
        guard kind == .tty else { return }
        let now = BuildProgress.now
        guard isForced || now - state.lastDrawing > 50_000_000 else { return }
        state.lastDrawing = now
        var size = winsize()
        let known = ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0
        let width = known && size.ws_col > 20 ? Int(size.ws_col) : 80
        let height = known && size.ws_row > 4 ? Int(size.ws_row) - 2 : 20
        erase(&state)
        var lines: [String] = []
        var settling = true
        for number in (state.settled + 1)...max(state.settled + 1, state.steps.count) {
            guard let step = state.steps[number] else { continue }
            let line = BuildProgress.line(step, now, width)
            if settling, step.ended != nil {
                put(line + "\n")
                state.settled = number
            } else {
                settling = false
                lines.append(line)
                lines += step.lines.map { String(" => => # \($0)".prefix(width - 1)) }
            }
        }
        lines = lines.suffix(height)
        put(lines.map { $0 + "\n" }.joined())
        state.drawn = lines.count
    }

    private static func line(_ step: Step, _ now: Int64, _ width: Int) -> String {
        let time = step.note == "CACHED" ? "" : "\(seconds((step.ended ?? now) - step.began))s"
        let title = " => " + (step.note.isEmpty ? "" : "\(step.note) ") + step.title
        let room = max(10, width - time.count - 2)
        let shown = String(title.prefix(room))
        return shown + String(repeating: " ", count: max(1, room - shown.count + 1)) + time
    }

    private static var now: Int64 { KernelClock.now(CLOCK_MONOTONIC) }

    /// With one digit.
    private static func seconds(_ nanoseconds: Int64) -> String {
        let tenths = max(0, nanoseconds) / 100_000_000
        return "\(tenths / 10).\(tenths % 10)"
    }

    private func put(_ text: String) {
        Array(text.utf8).withUnsafeBytes { try? InheritedFD(STDERR_FILENO).writeAll($0) }
    }
}
