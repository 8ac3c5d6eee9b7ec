/// A pattern for paths: `*`, `?`, `[a-z]`, `[^a]`, and `\` before a character that has no meaning then.
struct PathPattern: Sendable {
    enum Dialect: Sendable {
        /// Go's filepath.Match.
        case match
        /// That of `.dockerignore`: `**` stands for any number of directories, and at the end for everything.
        case ignore
    }

    enum Piece: Sendable, Equatable {
        case character(UInt32)
        /// `?`
        case one
        /// `*`
        case star
        /// `**` at the end.
        case rest
        /// `**`: the two behind it can be left out.
        case optional
        /// The directories of a `**`, with the slash that ends them.
        case directories
        /// `[a-z]`, which can match a slash as well: so it is in both dialects.
        case oneOf([ClosedRange<UInt32>], isNegated: Bool)
    }

    let text: [UInt8]
    let pieces: [Piece]
    /// What every path that matches begins with.
    private let prefix: ArraySlice<UInt32>

    /// Throws an error for a `[` that is not closed, an empty `[]`, a range without an end and a `\` at the end.
    init(_ text: [UInt8], _ dialect: Dialect) throws(DockerfileError) {
        self.text = text
        var parser = PathPatternParser(text, dialect)
        pieces = try parser.pieces()
        var prefix: [UInt32] = []
        for case .character(let character) in pieces.prefix(while: \.isCharacter) { prefix.append(character) }
        self.prefix = prefix[...]
    }

    func matches(_ path: PathText) -> Bool {
        guard path.characters.starts(with: prefix) else { return false }
        guard prefix.count < pieces.count else { return path.characters.count == prefix.count }
        return reached(by: path.characters).contains(pieces.count)
    }

    /// Whether a path in the directory, or deeper, can match.
    func mayMatch(below directory: PathText) -> Bool {
        let path = directory.characters + [PathText.slash]
        guard zip(path, prefix).allSatisfy({ $0 == $1 }) else { return false }
        return reached(by: path).contains { $0 < pieces.count }
    }

    /// The places in the pattern at which it can be behind the text, each once.
    private func reached(by text: [UInt32]) -> [Int] {
        var reached = Places(count: pieces.count)
        var next = reached
        add(0, to: &reached)
        for character in text {
            next.clear()
            for place in reached.places where place < pieces.count { step(place, character, &next) }
            swap(&reached, &next)
            if reached.places.isEmpty { break }
        }
        return reached.places
    }

    private struct Places {
        private(set) var places: [Int] = []
        private var isIn: [Bool]

        init(count: Int) { isIn = Array(repeating: false, count: count + 1) }

        /// Whether it was not there before.
        mutating func insert(_ place: Int) -> Bool {
            guard !isIn[place] else { return false }
            isIn[place] = true
            places.append(place)
            return true
        }

        mutating func clear() {
            for place in places { isIn[place] = false }
            places.removeAll(keepingCapacity: true)
        }
    }

    private func step(_ place: Int, _ character: UInt32, _ next: inout Places) {
        let isSlash = character == PathText.slash
        switch pieces[place] {
        case .character(let own): if own == character { add(place + 1, to: &next) }
        case .one: if !isSlash { add(place + 1, to: &next) }
        case .star: if !isSlash { add(place, to: &next) }
        case .rest: add(place, to: &next)
        case .optional: break
        case .directories:
            add(place, to: &next)
            if isSlash { add(place + 1, to: &next) }
        case .oneOf(let ranges, let isNegated):
            if ranges.contains(where: { $0.contains(character) }) != isNegated { add(place + 1, to: &next) }
        }
    }

    /// With the few places that are reached from it without a character: the parser leaves no two of these pieces side
    /// by side that are alike.
    private func add(_ place: Int, to places: inout Places) {
        guard places.insert(place), place < pieces.count else { return }
        switch pieces[place] {
        case .star, .rest: add(place + 1, to: &places)
        case .optional:
            add(place + 1, to: &places)
            add(place + 2, to: &places)
        default: break
        }
    }
}

extension PathPattern.Piece {
    var isCharacter: Bool {
        guard case .character = self else { return false }
        return true
    }
}
