/// Patterns of `.dockerignore` and `COPY --exclude`: a path is excluded if the last pattern that matches it or one of
/// its parents is no exception (`!pattern`).
///
/// Paths are relative, without `.`, `..` and slashes at their ends.
package struct PathPatterns: Sendable {
    private struct Pattern {
        let path: PathPattern
        let isException: Bool
    }

    private let patterns: [Pattern]
    /// Whether a pattern begins with `!`.
    package let hasExceptions: Bool

    package var isEmpty: Bool { patterns.isEmpty }

    package init(_ patterns: [String]) throws(DockerfileError) {
        try self.init(patterns.map { Array($0.utf8) })
    }

    /// Throws an error for a pattern whose syntax is wrong.
    package init(_ patterns: [[UInt8]]) throws(DockerfileError) {
        var made: [Pattern] = []
        for pattern in patterns {
            var text = pattern[...].withoutSpaceAround
            guard !text.isEmpty else { continue }
            text = CleanPath.of(Array(text))[...]
            let isException = text.first == UInt8(ascii: "!")
            if isException { text.removeFirst() }
            guard !text.isEmpty else { throw DockerfileError("illegal exclusion pattern: \"!\"") }
            made.append(Pattern(path: try PathPattern(Array(text), .ignore), isException: isException))
        }
        self.patterns = made
        hasExceptions = made.contains(where: \.isException)
    }

    /// What a directory's patterns are, for the walk to judge what is in it.
    package struct Standing: Sendable {
        fileprivate let matches: [Bool]
        package let isExcluded: Bool
    }

    /// Judges a path by itself and its parents.
    package func exclude(_ path: [UInt8]) -> Bool {
        var standing: Standing?
        var end = path.startIndex
        while true {
            end = path[end...].firstIndex(of: UInt8(ascii: "/")) ?? path.endIndex
            let judged = judge(Array(path[..<end]), in: standing)
            if end == path.endIndex { return judged.isExcluded }
            standing = judged
            end += 1
        }
    }

    /// Judges a path during a walk: `parent` is what this said of the directory that it is in, nil at the top.
    package func judge(_ path: [UInt8], in parent: Standing?) -> Standing {
        let text = PathText(path)
        var isExcluded = false
        var matches = Array(repeating: false, count: patterns.count)
        for (position, pattern) in patterns.enumerated() {
            if parent?.matches[position] == true {
                matches[position] = true
            } else if pattern.isException == isExcluded {
                // Only then can it change anything.
                matches[position] = pattern.path.matches(text)
            }
            if matches[position] { isExcluded = !pattern.isException }
        }
        return Standing(matches: matches, isExcluded: isExcluded)
    }

    /// Whether a walk can leave out all that is in an excluded directory: no exception leads into it. If it can't, the
    /// directory itself exists in the result as soon as something in it does.
    package func canSkip(_ directory: [UInt8], _ standing: Standing) -> Bool {
        guard standing.isExcluded else { return false }
        guard hasExceptions else { return true }
        let text = PathText(directory)
        return !patterns.contains { $0.isException && $0.path.mayMatch(below: text) }
    }
}

extension ArraySlice<UInt8> {
    /// Without the spaces of Unicode, where this is UTF-8, around it.
    var withoutSpaceAround: ArraySlice<UInt8> {
        var rest = withoutLeadingSpace
        while let last = rest.last, last == 0x20 || (0x09...0x0d).contains(last) { rest.removeLast() }
        return rest
    }
}
