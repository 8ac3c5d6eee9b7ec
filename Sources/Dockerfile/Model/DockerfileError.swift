package import Linux

/// Why a Dockerfile can't be read or expanded, in BuildKit's words where BuildKit has some.
package struct DockerfileError: Error, Sendable, Equatable, CustomStringConvertible {
    package var message: String
    /// The name of the Dockerfile (or of the file with patterns); nil until `at` says where the error is.
    package var file: String?
    /// Counted from 1; nil where the whole file is meant.
    package var lines: ClosedRange<Int>?

    package init(_ message: String, file: String? = nil, lines: ClosedRange<Int>? = nil) {
        self.message = message
        self.file = file
        self.lines = lines
    }

    /// The same error with its place, unless it has one already.
    package func at(_ source: Source) -> DockerfileError {
        file == nil ? DockerfileError(message, file: source.file, lines: source.lines) : self
    }

    /// `Dockerfile:3: unknown instruction: FROG (did you mean FROM?)`
    package var description: String {
        guard let file else { return message }
        return lines.map { "\(file):\($0.lowerBound): \(message)" } ?? "\(file): \(message)"
    }

    /// For the user's terminal.
    package var failure: Failure { Failure(description, kind: .invalidArgument) }
}

/// Adds where `body` was to the error that it throws.
package func locating<Result>(
    _ source: Source,
    _ body: () throws(DockerfileError) -> Result
) throws(DockerfileError) -> Result {
    do { return try body() } catch { throw error.at(source) }
}
