import CLinux
import Glibc
import Linux
import Synchronization

/// Shows on standard error what a long command is doing: bars that are redrawn on a terminal, elsewhere one plain
/// line for each finished row. Thread-safe.
final class Progress: Sendable {
    private struct Row {
        var label: String
        var done: UInt64 = 0
        /// Bytes; nil when the total is not known beforehand.
        var total: UInt64?
        var note: String?
    }

    private struct State {
        var rows: [Row] = []
        /// How many lines of the last drawing are above the cursor.
        var drawn = 0
        var lastDrawing: UInt64 = 0
    }

    private let state = Mutex(State())
    private let isTerminal: Bool
    private let isQuiet: Bool

    init(quiet: Bool = false) {
        isTerminal = isatty(STDERR_FILENO) == 1 && environment("TERM") != "dumb"
        isQuiet = quiet
    }

    /// Adds a row; the result names it.
    func add(_ label: String, total: UInt64?) -> Int {
        // Labels are file names, which must not move the cursor.
        let label = Printable.text(label)
        return state.withLock { state in
            state.rows.append(Row(label: label, total: total))
            return state.rows.count - 1
        }
    }

    func update(_ row: Int, done: UInt64) {
        state.withLock { state in
            state.rows[row].done = done
            guard isTerminal, !isQuiet else { return }
            let now = Progress.milliseconds()
            if now >= state.lastDrawing + 100 {
                state.lastDrawing = now
                draw(&state)
            }
        }
    }

    /// Completes a row; `note` says how it came out.
    func finish(_ row: Int, _ note: String) {
        state.withLock { state in
            state.rows[row].note = Printable.text(note)
            guard !isQuiet else { return }
            if isTerminal { draw(&state) } else { put("\(line(state.rows[row]))\n") }
        }
    }

    /// Ends the rows so far: what is printed next stands below them.
    func close() {
        state.withLock { state in
            if isTerminal, !isQuiet { draw(&state) }
            state.rows = []
            state.drawn = 0
        }
    }

    private func draw(_ state: inout State) {
        var size = winsize()
        let known = ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0
        let width = known && size.ws_col > 20 ? Int(size.ws_col) : 80
        let height = known && size.ws_row > 2 ? Int(size.ws_row) - 1 : 24
        // Only rows on the screen can be redrawn: the latest ones.
        let rows = state.rows.suffix(height)
        var text = state.drawn > 0 ? "\u{1b}[\(state.drawn)A" : ""
        for row in rows { text += "\r\u{1b}[K" + String(line(row).prefix(width - 1)) + "\n" }
        state.drawn = rows.count
        put(text)
    }

    private func line(_ row: Row) -> String {
        if let note = row.note { return "\(row.label): \(note)" }
        guard let total = row.total, total > 0 else { return "\(row.label): \(Human.size(row.done))" }
        let share = min(1, Double(row.done) / Double(total))
        let filled = Int(share * 30)
        let bar = String(repeating: "=", count: filled) + String(repeating: " ", count: 30 - filled)
        return "\(row.label): [\(bar)] \(Human.size(row.done)) of \(Human.size(total))"
    }

    private func put(_ text: String) {
        Array(text.utf8).withUnsafeBytes { try? InheritedFD(STDERR_FILENO).writeAll($0) }
    }

    private static func milliseconds() -> UInt64 {
        UInt64(KernelClock.now(CLOCK_MONOTONIC)) / 1_000_000
    }
}
