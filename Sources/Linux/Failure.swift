package import SystemPackage

/// Why a user's command failed, in words for the user.
///
/// The message names the object, what was expected and what was found; `advice` says what the user can do.
package struct Failure: Error, CustomStringConvertible, Sendable {
    /// The kind of failure, for a service that answers with a status code.
    package enum Kind: Sendable {
        case other, notFound, alreadyExists, invalidArgument, failedPrecondition
        /// A filesystem, or a quota, is full.
        case noSpace
        /// Another service of the same kind may be able to.
        case unimplemented
    }

    package var message: String
    package var advice: String?
    package var kind: Kind
    /// The process's exit status, where the failure ends it.
    package var exitCode: Int32

    package init(_ message: String, advice: String? = nil, kind: Kind = .other, exitCode: Int32 = 1) {
        self.message = message
        self.advice = advice
        self.kind = kind
        self.exitCode = exitCode
    }

    /// "`subject`: No such file or directory".
    package init(_ subject: String, _ errno: Errno, advice: String? = nil, exitCode: Int32 = 1) {
        self.init(
            "\(subject): \(errno)",
            advice: advice,
            kind: errno.isOutOfSpace ? .noSpace : .other,
            exitCode: exitCode
        )
    }

    /// At most two lines for a terminal, made printable, because a message may quote bytes of any origin.
    package var description: String {
        guard let advice else { return Printable.text(message) }
        return "\(Printable.text(message))\n\(Printable.text(advice))"
    }

    /// A failure that another process described in the same way: the last of several lines is advice.
    package init(described text: String, kind: Kind = .other, exitCode: Int32 = 1) {
        let lines = text.split(separator: "\n")
        self.init(
            lines.count > 1 ? lines.dropLast().joined(separator: "; ") : text,
            advice: lines.count > 1 ? lines.last.map(String.init) : nil,
            kind: kind,
            exitCode: exitCode
        )
    }
}

/// Says what was being done when a system call failed: `try naming("write \(path)") { try fd.write(…) }`.
package func naming<R: ~Copyable>(
    _ subject: @autoclosure () -> String,
    _ body: () throws -> R
) throws -> R {
    do {
        return try body()
    } catch let errno as Errno {
        throw Failure(subject(), errno)
    }
}
