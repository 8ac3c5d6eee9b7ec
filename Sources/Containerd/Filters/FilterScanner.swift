import Linux

/// Takes the text of a filter apart. What a value may look like depends on what was before it, as in containerd: after an
/// operator almost everything is a value.
struct FilterScanner {
    private let scalars: [Unicode.Scalar]
    private var place = 0
    private var isValueNext = false

    init(_ text: String) { scalars = Array(text.unicodeScalars) }

    /// What comes next, white space included; nil at the end.
    var next: Unicode.Scalar? { place < scalars.count ? scalars[place] : nil }

    mutating func scan() throws(Failure) -> FilterToken {
        while let next, next.properties.isWhitespace { place += 1 }
        guard let first = next else { return .end }
        try check(first)
        let start = place
        place += 1
        switch first {
        case "\"", "/", "|":
            try skipQuoted(first, from: start)
            return .quoted(text(from: start))
        case ",", ".":
            isValueNext = false
            return .separator(first)
        case "=", "!", "~":
            skip { "=!~".unicodeScalars.contains($0) }
            isValueNext = true
            return .operator(text(from: start))
        default:
            if isValueNext {
                isValueNext = false
                place = start
                skip(FilterScanner.isOfValue)
                guard place > start else { throw unexpected(first) }
                return .value(text(from: start))
            }
            guard FilterScanner.isOfField(first) else { throw unexpected(first) }
            skip(FilterScanner.isOfField)
            return .field(text(from: start))
        }
    }

    /// For what can't be here.
    func unexpected(_ scalar: Unicode.Scalar) -> Failure {
        Failure(
            "the filter \"\(text(from: 0, to: scalars.count))\" has \"\(scalar)\" where that can't be, after \(place) characters",
            kind: .invalidArgument
        )
    }

    /// To the quote that ends it, passing over what is escaped.
    private mutating func skipQuoted(_ quote: Unicode.Scalar, from start: Int) throws(Failure) {
        while let scalar = next, scalar != quote {
            guard scalar != "\n" else { break }
            try check(scalar)
            place += scalar == "\\" ? 2 : 1
        }
        guard place < scalars.count, scalars[place] == quote else {
            place = start
            throw Failure(
                "the filter \"\(text(from: 0, to: scalars.count))\" has a quote that does not end",
                kind: .invalidArgument
            )
        }
        place += 1
    }

    private mutating func skip(_ isWanted: (Unicode.Scalar) -> Bool) {
        while let next, isWanted(next) { place += 1 }
    }

    private func check(_ scalar: Unicode.Scalar) throws(Failure) {
        // The second is what bytes that are no UTF-8 become.
        guard scalar != "\0", scalar != "\u{fffd}" else { throw unexpected(scalar) }
    }

    private func text(from start: Int, to end: Int? = nil) -> String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars[start..<(end ?? place)])
        return String(view)
    }

    private static func isOfField(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "-", "_", "A"..."Z", "a"..."z", "0"..."9": true
        default: false
        }
    }

    private static func isOfValue(_ scalar: Unicode.Scalar) -> Bool {
        guard scalar != ",", !scalar.properties.isWhitespace else { return false }
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator:
            return false
        default: return true
        }
    }
}
