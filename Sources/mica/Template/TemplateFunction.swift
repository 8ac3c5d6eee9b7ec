import FoundationEssentials
import Linux
import OCI

/// The functions of templates: docker's, and those of Go's that it takes to use them.
enum TemplateFunction: String, CaseIterable {
    case json, join, split, lower, upper, title, truncate, println, print, printf
    case index, slice, len, eq, ne, lt, le, gt, ge, and, or, not

    /// How many arguments it takes.
    var arguments: ClosedRange<Int> {
        switch self {
        case .json, .lower, .upper, .title, .len, .not: 1...1
        case .join, .split, .truncate, .ne, .lt, .le, .gt, .ge: 2...2
        case .println, .print: 0...100
        case .printf, .and, .or: 1...100
        case .index, .eq: 2...100
        case .slice: 1...3
        }
    }

    func callAsFunction(_ values: [JSONValue]) throws -> JSONValue {
        guard let first = values.first else { return .string(self == .println ? "\n" : "") }
        let second = values.count > 1 ? values[1] : .null
        switch self {
        case .json: return .string(try TemplateFunction.json(first))
        case .join: return .string(try list(first).map(\.shown).joined(separator: second.shown))
        case .split:
            let (text, separator) = (first.shown, second.shown)
            guard !separator.isEmpty else { return .array(text.map { .string(String($0)) }) }
            return .array(
                text.split(separator: separator, omittingEmptySubsequences: false).map { .string(String($0)) }
            )
        case .lower: return .string(first.shown.lowercased())
        case .upper: return .string(first.shown.uppercased())
        case .title: return .string(first.shown.prefix(1).uppercased() + first.shown.dropFirst())
        case .truncate: return .string(String(first.shown.prefix(max(try whole(second), 0))))
        case .println: return .string(values.map(\.shown).joined(separator: " ") + "\n")
        case .print: return .string(values.map(\.shown).joined())
        case .printf: return .string(try TemplatePrintf.text(first.shown, values.dropFirst()))
        case .index: return try values.dropFirst().reduce(first) { try element($1, of: $0) }
        case .slice: return try slice(first, values.dropFirst().map { try whole($0) })
        case .len: return .integer(Int64(try length(first)))
        case .eq: return .bool(values.dropFirst().contains { first.isEqual(to: $0) })
        case .ne: return .bool(!first.isEqual(to: second))
        case .lt: return .bool(try first.isLess(than: second))
        case .le: return .bool(try !second.isLess(than: first))
        case .gt: return .bool(try second.isLess(than: first))
        case .ge: return .bool(try !first.isLess(than: second))
        case .and: return values.first { !$0.isTrue } ?? values[values.count - 1]
        case .or: return values.first { $0.isTrue } ?? values[values.count - 1]
        case .not: return .bool(!first.isTrue)
        }
    }

    static func json(_ value: JSONValue) throws -> String {
        String(decoding: try JSONDocument.encode(value), as: UTF8.self)
    }

    private func misuse(_ words: String) -> Failure {
        Failure("--format: \(rawValue): \(words)", exitCode: 64)
    }

    private func list(_ value: JSONValue) throws -> [JSONValue] {
        switch value {
        case .array(let values): return values
        case .null: return []
        default: throw misuse("\(value.shown) is not a list")
        }
    }

    private func whole(_ value: JSONValue) throws -> Int {
        guard case .integer(let number) = value, let whole = Int(exactly: number) else {
            throw misuse("\(value.shown) is not a whole number")
        }
        return whole
    }

    private func element(_ key: JSONValue, of value: JSONValue) throws -> JSONValue {
        switch value {
        case .object(let members): return members[key.shown] ?? .null
        case .array(let values):
            let number = try whole(key)
            guard values.indices.contains(number) else {
                throw misuse("there is no element \(number) of \(values.count)")
            }
            return values[number]
        case .null: return .null
        default: throw misuse("\(value.shown) has no elements")
        }
    }

    private func length(_ value: JSONValue) throws -> Int {
        switch value {
        case .array(let values): return values.count
        case .object(let members): return members.count
        case .string(let text): return text.utf8.count
        case .null: return 0
        default: throw misuse("\(value.shown) has no length")
        }
    }

    private func slice(_ value: JSONValue, _ bounds: [Int]) throws -> JSONValue {
        let count: Int
        if case .string(let text) = value { count = text.count } else { count = try list(value).count }
        let (start, end) = (bounds.first ?? 0, bounds.count > 1 ? bounds[1] : count)
        guard 0 <= start, start <= end, end <= count else { throw misuse("\(start) to \(end) of \(count)") }
        if case .string(let text) = value {
            return .string(String(text.dropFirst(start).prefix(end - start)))
        }
        return .array(Array(try list(value)[start..<end]))
    }
}
