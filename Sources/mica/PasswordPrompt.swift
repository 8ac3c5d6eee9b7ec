import Linux

import Glibc

/// Asks questions on a terminal.
enum PasswordPrompt {
    /// Returns the line typed. `isSecret`: without echo. Failure if standard input is not a terminal, or at its end.
    static func ask(_ question: String, isSecret: Bool) throws -> String {
        guard isatty(STDIN_FILENO) == 1 else {
            throw Failure(
                "standard input is no terminal to ask at",
                advice: "Give the name by -u, and the password by --password-stdin."
            )
        }
        say(question)
        guard isSecret else { return try line() }
        var before = termios()
        guard tcgetattr(STDIN_FILENO, &before) == 0 else { throw Failure("look at the terminal", .last) }
        var hidden = before
        hidden.c_lflag &= ~tcflag_t(ECHO)
        let watch = SignalWatch()
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden)
        let text = Result { try line() }
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &before)
        say("\n")
        watch.end()
        return try text.get()
    }

    private static func say(_ text: String) {
        Array(text.utf8).withUnsafeBytes { try? InheritedFD(STDERR_FILENO).writeAll($0) }
    }

    private static func line() throws -> String {
        var bytes: [UInt8] = []
        var byte: UInt8 = 0
        while true {
            let count = read(STDIN_FILENO, &byte, 1)
            guard count == 1 else {
                // A signal, which `end` sends again once the terminal is restored.
                throw Failure(count == 0 && bytes.isEmpty ? "nothing was typed" : "interrupted")
            }
            if byte == UInt8(ascii: "\n") { break }
            bytes.append(byte)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Signals such as SIGINT only end a read meanwhile; `end` sends them again.
    private struct SignalWatch {
        private static let numbers = [SIGINT, SIGTERM, SIGHUP, SIGQUIT]
        private var before: [sigaction] = []
        nonisolated(unsafe) fileprivate static var caught: CInt = 0

        init() {
            for number in SignalWatch.numbers {
                var action = sigaction()
                var old = sigaction()
                action.__sigaction_handler.sa_handler = { SignalWatch.caught = $0 }
                sigaction(number, &action, &old)
                before.append(old)
            }
        }

        func end() {
            for (number, old) in zip(SignalWatch.numbers, before) {
                var old = old
                sigaction(number, &old, nil)
            }
            if SignalWatch.caught != 0 { raise(SignalWatch.caught) }
        }
    }
}
