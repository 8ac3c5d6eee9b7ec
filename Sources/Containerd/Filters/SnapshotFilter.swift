package import Linux

/// containerd's filters: a list of them is met by what meets any, one of them by what meets all of its selectors.
///
///     selectors := selector ("," selector)*
///     selector  := field ("." field)* [operator value]
///     operator  := "==" | "!=" | "~="
///
/// Fields and values may be quoted as Go's strings are; an expression after `~=` also between `/` or `|`. Without an
/// operator a selector asks whether the field is there. The fields are name, parent, kind and labels.NAME.
package struct SnapshotFilter {
    /// Longer texts are refused: parsing takes time for each character of them.
    private static let longest = 16384

    private let alternatives: [[FilterSelector]]

    /// invalidArgument for what is no filter. None at all, and an empty one, are met by everything.
    package init(_ texts: [String]) throws(Failure) {
        var alternatives: [[FilterSelector]] = []
        for text in texts { alternatives.append(try SnapshotFilter.parsed(text)) }
        self.alternatives = alternatives
    }

    package func isMet(by info: SnapshotInfo) -> Bool {
        alternatives.isEmpty || alternatives.contains { $0.allSatisfy { $0.holds(for: info) } }
    }

    private static func parsed(_ text: String) throws(Failure) -> [FilterSelector] {
        guard !text.isEmpty else { return [] }
        guard text.utf8.count <= longest else {
            throw Failure(
                "a filter has \(text.utf8.count) bytes, more than \(longest)",
                kind: .invalidArgument
            )
        }
        var scanner = FilterScanner(text)
        var selectors = [try selector(&scanner)]
        while let next = scanner.next {
            guard next == ",", try scanner.scan() == .separator(",") else { throw scanner.unexpected(next) }
            selectors.append(try selector(&scanner))
        }
        return selectors
    }

    private static func selector(_ scanner: inout FilterScanner) throws(Failure) -> FilterSelector {
        var field = [try name(&scanner)]
        while scanner.next == "." {
            _ = try scanner.scan()
            field.append(try name(&scanner))
        }
        guard let next = scanner.next, next != "," else {
            return FilterSelector(field: field, condition: .isPresent)
        }
        guard case .operator(let name) = try scanner.scan() else { throw scanner.unexpected(next) }
        let condition: FilterSelector.Condition
        switch name {
        case "==": condition = .equals(try value(&scanner))
        case "!=": condition = .differs(try value(&scanner))
        case "~=": condition = .matches(try FilterExpression.parsed(value(&scanner, isExpression: true)))
        default:
            throw Failure("a filter has no operator \(name): there are ==, != and ~=", kind: .invalidArgument)
        }
        return FilterSelector(field: field, condition: condition)
    }

    private static func name(_ scanner: inout FilterScanner) throws(Failure) -> String {
        switch try scanner.scan() {
        case .field(let name): return name
        case .quoted(let text) where text.hasPrefix("\""): return try QuotedText.unquoted(text)
        default: throw Failure("a filter lacks the name of a field", kind: .invalidArgument)
        }
    }

    private static func value(_ scanner: inout FilterScanner, isExpression: Bool = false) throws(Failure)
        -> String
    {
        switch try scanner.scan() {
        case .value(let value), .field(let value): return value
        case .quoted(let text) where isExpression || text.hasPrefix("\""):
            return try QuotedText.unquoted(text)
        default: throw Failure("a filter lacks a value after an operator", kind: .invalidArgument)
        }
    }
}
