import Linux

import Glibc

/// Asks before a removal of many things, as docker does.
enum Confirmation {
    /// Failure unless the user says yes. `what`: "This removes …".
    static func ask(_ what: String) throws {
        guard isatty(STDIN_FILENO) == 1 else {
            throw Failure(
                "\(what) There is no terminal to ask at",
                advice: "Say so by -f."
            )
        }
        let text = "\(what) Go on? [y/N] "
        Array(text.utf8).withUnsafeBytes { try? InheritedFD(STDERR_FILENO).writeAll($0) }
        guard let answer = readLine(), ["y", "yes"].contains(answer.lowercased()) else {
            throw Failure("nothing was removed")
        }
    }
}
