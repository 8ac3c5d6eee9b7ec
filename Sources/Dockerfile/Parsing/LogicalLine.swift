/// An instruction in one line: continued lines are joined, and comments are taken out.
struct LogicalLine {
    let text: String
    let lines: ClosedRange<Int>
    /// The comments above, without `#`, since the last instruction or the last empty comment.
    let comments: [String]
    /// Whether an empty line is among the continued ones.
    let hasEmptyLine: Bool
}

/// Makes logical lines of lines, and takes the lines of here-documents.
struct LogicalLines {
    private var lines: SourceLines
    private var reader = DirectiveReader()

    init(_ bytes: ArraySlice<UInt8>) { lines = SourceLines(bytes) }

    var directives: Directives { reader.directives }

    /// Of the last line that was read.
    var number: Int { lines.number }

    mutating func next() throws(DockerfileError) -> LogicalLine? {
        var comments: [String] = []
        while let raw = try lines.next() {
            let start = lines.number
            let line = raw.withoutLineEnd.withoutLeadingSpace
            do {
                if try reader.read(line) { continue }
            } catch {
                throw DockerfileError(error.message, lines: start...start)
            }
            if line.first == UInt8(ascii: "#") {
                let comment = String(decoding: line.dropFirst(), as: UTF8.self)[...].trimmed
                if comment.isEmpty { comments = [] } else { comments.append(String(comment)) }
                continue
            }
            if line.isEmpty { continue }
            return try join(line, from: start, comments)
        }
        return nil
    }

    private mutating func join(
        _ first: ArraySlice<UInt8>,
        from start: Int,
        _ comments: [String]
    ) throws(DockerfileError) -> LogicalLine {
        var (text, isContinued) = withoutContinuation(first)
        var bytes = Array(text)
        var hasEmptyLine = false
        while isContinued, let raw = try lines.next() {
            if raw.isComment { continue }
            if raw.withoutLineEnd.withoutLeadingSpace.isEmpty {
                hasEmptyLine = true
                continue
            }
            (text, isContinued) = withoutContinuation(raw.withoutLineEnd)
            bytes += text
        }
        let range = start...lines.number
        guard let decoded = String(validating: bytes, as: UTF8.self) else {
            throw DockerfileError("the instruction is not UTF-8", lines: range)
        }
        guard !bytes.contains(0) else {
            throw DockerfileError("the instruction has a NUL in it", lines: range)
        }
        return LogicalLine(text: decoded, lines: range, comments: comments, hasEmptyLine: hasEmptyLine)
    }

    /// An escape, and spaces or nothing behind it, continues a line, unless it stands behind another escape.
    private func withoutContinuation(_ line: ArraySlice<UInt8>) -> (ArraySlice<UInt8>, isContinued: Bool) {
        let escape = UInt8(truncatingIfNeeded: directives.escape.rawValue.value)
        var rest = line
        while let last = rest.last, last == UInt8(ascii: " ") || last == UInt8(ascii: "\t") {
            rest.removeLast()
        }
        guard rest.popLast() == escape, rest.last != escape else { return (line, false) }
        return (rest, true)
    }

    /// The lines up to the one that ends `heredoc`, which becomes its text. `start` is the line of the instruction.
    mutating func take(_ heredoc: Heredoc, from start: Int) throws(DockerfileError) -> Heredoc {
        var content: [UInt8] = []
        while let raw = try lines.next() {
            let line = raw.withoutLineEnd
            if (heredoc.stripsTabs ? line.withoutLeadingTabs : line).elementsEqual(heredoc.name.utf8) {
                guard let text = String(validating: content, as: UTF8.self) else {
                    throw DockerfileError("the here-document is not UTF-8", lines: start...lines.number)
                }
                var taken = heredoc
                taken.raw = text
                return taken
            }
            content += raw
        }
        throw DockerfileError("unterminated heredoc", lines: start...max(start, lines.number))
    }
}
