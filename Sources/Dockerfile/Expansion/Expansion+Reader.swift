extension Expansion {
    /// More nested `${…}` than this are refused, because each takes stack.
    static let deepest = 64

    /// What an expansion adds to the text it expands, in bytes: a Dockerfile can double a variable on each line.
    static let growthLimit = 1 << 20

    func result(_ text: String, with variables: Variables) throws(DockerfileError) -> Result {
        var reader = Reader(
            rest: text[...].unicodeScalars,
            variables: variables,
            expansion: self,
            limit: text.utf8.count + Expansion.growthLimit
        )
        do {
            return try reader.read(until: nil, keepsEscapes: keepsEscapes)
        } catch {
            let shown = text.utf8.count > 200 ? "\(text.prefix(200))…" : text
            throw DockerfileError("failed to process \"\(shown)\": \(error.message)")
        }
    }

    /// The text as one, and as words: those end at unquoted spaces, and are never empty.
    struct Result {
        private(set) var scalars = String.UnicodeScalarView()
        private(set) var words: [String] = []
        private var open = String.UnicodeScalarView()
        private(set) var size = 0

        var text: String { String(scalars) }

        mutating func add(_ scalar: Unicode.Scalar, splits: Bool) {
            scalars.append(scalar)
            size += UTF8.width(scalar)
            if splits, scalar.properties.isWhitespace {
                close()
            } else {
                open.append(scalar)
            }
        }

        mutating func add(_ text: some Sequence<Unicode.Scalar>, splits: Bool) {
            for scalar in text { add(scalar, splits: splits) }
        }

        mutating func close() {
            if !open.isEmpty { words.append(String(open)) }
            open.removeAll()
        }
    }

    struct Reader {
        var rest: Substring.UnicodeScalarView
        let variables: Variables
        let expansion: Expansion
        let limit: Int
        var depth = 0

        /// Reads up to the unquoted `end`, and takes it; or all of the text.
        mutating func read(
            until end: Unicode.Scalar?,
            keepsEscapes: Bool
        ) throws(DockerfileError) -> Result {
            guard depth <= Expansion.deepest else {
                throw DockerfileError("more than \(Expansion.deepest) nested substitutions")
            }
            depth += 1
            defer { depth -= 1 }
            var result = Result()
            while let scalar = rest.popFirst() {
                if scalar == end {
                    result.close()
                    return result
                }
                switch scalar {
                case "$": result.add(try variable().unicodeScalars, splits: true)
                case "'" where expansion.quotes != .plain: result.add(try quoted(), splits: false)
                case "\"" where expansion.quotes != .plain:
                    result.add(try doublyQuoted(keepsEscapes), splits: false)
                case "<": result.add(heredocOpening(), splits: false)
                case expansion.escape.rawValue:
                    if keepsEscapes { result.add(scalar, splits: false) }
                    if let escaped = rest.popFirst() { result.add(escaped, splits: false) }
                default: result.add(scalar, splits: true)
                }
                guard result.size <= limit else {
                    throw DockerfileError("it expands to more than \(limit) bytes")
                }
            }
            if let end {
                throw DockerfileError("unexpected end of statement while looking for matching \(end)")
            }
            result.close()
            return result
        }

        private mutating func quoted() throws(DockerfileError) -> String.UnicodeScalarView {
            guard let end = rest.firstIndex(of: "'") else {
                throw DockerfileError("unexpected end of statement while looking for matching single-quote")
            }
            var inner = String.UnicodeScalarView(rest[..<end])
            rest = rest[rest.index(after: end)...]
            if expansion.quotes == .kept {
                inner.insert("'", at: inner.startIndex)
                inner.append("'")
            }
            return inner
        }

        private mutating func doublyQuoted(
            _ keepsEscapes: Bool
        ) throws(DockerfileError) -> String.UnicodeScalarView {
            var inner = String.UnicodeScalarView()
            let isKept = expansion.quotes == .kept
            var size = 0
            if isKept { inner.append("\"") }
            while let scalar = rest.popFirst() {
                switch scalar {
                case "\"":
                    if isKept { inner.append(scalar) }
                    return inner
                case "$":
                    let value = try variable()
                    inner.append(contentsOf: value.unicodeScalars)
                    size += value.utf8.count
                    guard size <= limit else {
                        throw DockerfileError("it expands to more than \(limit) bytes")
                    }
                case expansion.escape.rawValue:
                    if keepsEscapes { inner.append(scalar) }
                    // Before all other characters, an escape is a character.
                    guard let next = rest.first else { continue }
                    if next == "\"" || next == "$" || next == scalar {
                        inner.append(next)
                        rest.removeFirst()
                    } else {
                        inner.append(scalar)
                    }
                default: inner.append(scalar)
                }
            }
            throw DockerfileError("unexpected end of statement while looking for matching double-quote")
        }

        /// The spaces between `<<` and a word belong to the word.
        private mutating func heredocOpening() -> String.UnicodeScalarView {
            var opening = String.UnicodeScalarView("<".unicodeScalars)
            guard rest.first == "<" else { return opening }
            opening.append(rest.removeFirst())
            while let space = rest.first, space == " " || space == "\t" || space == "\r" {
                opening.append(space)
                rest.removeFirst()
            }
            return opening
        }
    }
}
