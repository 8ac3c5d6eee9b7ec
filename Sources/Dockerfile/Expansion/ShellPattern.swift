/// A pattern of `${name#pattern}` and its like: `*`, `?`, and `\` before them and itself. Both match anything but the
/// end of a line.
struct ShellPattern {
    private enum Piece: Equatable {
        case any, one
        case scalar(Unicode.Scalar)

        func matches(_ other: Unicode.Scalar) -> Bool {
            switch self {
            case .any, .one: other != "\n"
            case .scalar(let own): own == other
            }
        }
    }

    /// Comparisons that one match may take; a pattern that needs more is refused, because the time it takes grows with
    /// its length times that of the value.
    static let effort = 1 << 25

    private var pieces: [Piece] = []

    init(_ pattern: String) throws(DockerfileError) {
        var rest = pattern.unicodeScalars[...]
        while let scalar = rest.popFirst() {
            switch scalar {
            case "*": if pieces.last != .any { pieces.append(.any) }
            case "?": pieces.append(.one)
            case "\\":
                // `}` and `/` need an escape in a substitution, which is no part of the pattern.
                guard let next = rest.popFirst(), "*?\\}/".unicodeScalars.contains(next) else {
                    throw DockerfileError(
                        "invalid pattern (\(pattern)) in substitution: a \\ stands before *, ?, \\, } and / only"
                    )
                }
                pieces.append(.scalar(next))
            default: pieces.append(.scalar(scalar))
            }
        }
    }

    /// For a match from the end of a text, whose characters are reversed as well.
    mutating func reverse() { pieces.reverse() }

    /// Where the shortest or longest match that begins at `start` ends.
    func match(
        in text: [Unicode.Scalar],
        from start: Int,
        longest: Bool
    ) throws(DockerfileError) -> Int? {
        var effort = 0
        return try match(in: text, from: start, longest: longest, effort: &effort)
    }

    /// The leftmost match, and of those the longest.
    func firstMatch(in text: [Unicode.Scalar], from start: Int) throws(DockerfileError) -> Range<Int>? {
        var effort = 0
        for position in start...text.count {
            if let end = try match(in: text, from: position, longest: true, effort: &effort) {
                return position..<end
            }
        }
        return nil
    }

    private func match(
        in text: [Unicode.Scalar],
        from start: Int,
        longest: Bool,
        effort: inout Int
    ) throws(DockerfileError) -> Int? {
        // All the places in the pattern that the text can have reached, in ascending order.
        var reached = following([0])
        var end: Int?
        var position = start
        while true {
            if reached.last == pieces.count {
                end = position
                if !longest { break }
            }
            guard position < text.count, !reached.isEmpty else { break }
            effort += reached.count
            guard effort <= ShellPattern.effort else {
                throw DockerfileError("the pattern and the value are too long")
            }
            var next: [Int] = []
            for place in reached where place < pieces.count && pieces[place].matches(text[position]) {
                let target = pieces[place] == .any ? place : place + 1
                if next.last != target { next.append(target) }
            }
            reached = following(next)
            position += 1
        }
        return end
    }

    /// A `*` may match nothing. Two of them never stand side by side.
    private func following(_ places: [Int]) -> [Int] {
        var result: [Int] = []
        for place in places {
            if result.last.map({ $0 < place }) ?? true { result.append(place) }
            if place < pieces.count, pieces[place] == .any { result.append(place + 1) }
        }
        return result
    }
}
