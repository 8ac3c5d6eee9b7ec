/// A source of `COPY` or `ADD` with wildcards, once it is expanded, in the language of Go's filepath.Match.
package struct Wildcards: Sendable {
    /// The directory in which the first wildcard stands: relative, and empty for the top.
    package let directory: [UInt8]
    private let pattern: PathPattern

    /// nil where `source` has no wildcards: it is a path then. A malformed pattern matches nothing.
    package init?(_ source: String) {
        let path = CleanPath.of(Array("/\(source)".utf8)).dropFirst()
        let parts = path.split(separator: UInt8(ascii: "/"))
        guard let first = parts.firstIndex(where: Wildcards.has) else { return nil }
        directory = Array(parts[..<first].joined(separator: [UInt8(ascii: "/")]))
        let text = Array(parts[first...].joined(separator: [UInt8(ascii: "/")]))
        guard let pattern = (try? PathPattern(text, .match)) ?? (try? PathPattern([], .match)) else {
            return nil
        }
        self.pattern = pattern
    }

    /// `path` is relative to `directory`. What is in a directory that matches belongs to it, and is not asked for.
    package func match(_ path: [UInt8]) -> Bool {
        pattern.matches(PathText(path))
    }

    /// Whether something in `directory`, which is relative to the other one, or below it can match.
    package func mayMatch(below directory: [UInt8]) -> Bool {
        pattern.mayMatch(below: PathText(directory))
    }

    private static func has(_ part: ArraySlice<UInt8>) -> Bool {
        var rest = part
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\\") { _ = rest.popFirst() }
            if "*?[".utf8.contains(byte) { return true }
        }
        return false
    }
}
