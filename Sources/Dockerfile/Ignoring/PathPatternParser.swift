/// Takes a pattern for paths apart.
struct PathPatternParser {
    private var rest: ArraySlice<UInt32>
    private let dialect: PathPattern.Dialect
    private let text: [UInt8]

    private static func code(_ character: Unicode.Scalar) -> UInt32 { character.value }

    init(_ text: [UInt8], _ dialect: PathPattern.Dialect) {
        rest = PathText(text).characters[...]
        self.dialect = dialect
        self.text = text
    }

    private var malformed: DockerfileError {
        DockerfileError("syntax error in pattern \(String(decoding: text, as: UTF8.self))")
    }

    mutating func pieces() throws(DockerfileError) -> [PathPattern.Piece] {
        var pieces: [PathPattern.Piece] = []
        while let character = rest.popFirst() {
            switch Unicode.Scalar(character) {
            case "*": pieces += star(isFirst: pieces.isEmpty)
            case "?": pieces.append(.one)
            case "[": pieces.append(try oneOf())
            case "\\":
                guard let escaped = rest.popFirst() else { throw malformed }
                pieces.append(.character(escaped))
            default: pieces.append(.character(character))
            }
        }
        pieces = PathPatternParser.shortened(pieces)
        // No path is longer, and the time that a match takes grows with both.
        guard pieces.count <= 4096 else { throw DockerfileError("a pattern of more than 4096 characters") }
        return pieces
    }

    /// Two stars side by side are one, and so are two `**`.
    private static func shortened(_ pieces: [PathPattern.Piece]) -> [PathPattern.Piece] {
        var result: [PathPattern.Piece] = []
        for piece in pieces {
            if piece == .star, result.last == .star { continue }
            if piece == .directories, result.dropLast().last == .directories {
                result.removeLast()
                continue
            }
            result.append(piece)
        }
        return result
    }

    private mutating func star(isFirst: Bool) -> [PathPattern.Piece] {
        let star = UInt32(UInt8(ascii: "*"))
        guard dialect == .ignore, rest.first == star else { return [.star] }
        rest.removeFirst()
        let hasSlash = rest.first == PathText.slash
        if hasSlash { rest.removeFirst() }
        if rest.isEmpty { return [.rest] }
        // `**name` without another wildcard is taken for the end of a path, whatever comes before it.
        let isPlain = !rest.contains { "*?[]\\".unicodeScalars.map(\.value).contains($0) }
        if isFirst, !hasSlash, isPlain { return [.rest] }
        return [.optional, .directories]
    }

    private mutating func oneOf() throws(DockerfileError) -> PathPattern.Piece {
        let isNegated = rest.first == UInt32(UInt8(ascii: "^"))
        if isNegated { rest.removeFirst() }
        var ranges: [ClosedRange<UInt32>] = []
        while true {
            if rest.first == UInt32(UInt8(ascii: "]")), !ranges.isEmpty {
                rest.removeFirst()
                return .oneOf(ranges, isNegated: isNegated)
            }
            let low = try bound()
            var high = low
            if rest.first == UInt32(UInt8(ascii: "-")) {
                rest.removeFirst()
                high = try bound()
            }
            // A range whose end is before its beginning has nothing in it: no character has this number.
            ranges.append(low <= high ? low...high : UInt32.max...UInt32.max)
        }
    }

    private mutating func bound() throws(DockerfileError) -> UInt32 {
        guard let character = rest.popFirst(), character != UInt32(UInt8(ascii: "-")),
            character != UInt32(UInt8(ascii: "]"))
        else { throw malformed }
        guard character == UInt32(UInt8(ascii: "\\")) else { return character }
        guard let escaped = rest.popFirst() else { throw malformed }
        return escaped
    }
}
