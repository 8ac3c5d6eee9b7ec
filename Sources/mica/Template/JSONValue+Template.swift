import Linux
import OCI

extension JSONValue {
    /// As Go prints it.
    var shown: String {
        switch self {
        case .null: "<no value>"
        case .bool(let value): value ? "true" : "false"
        case .integer(let value): "\(value)"
        case .number(let value): "\(value)"
        case .string(let value): value
        case .array(let values): "[\(values.map(\.shown).joined(separator: " "))]"
        case .object(let members):
            "map[\(members.sorted { $0.key < $1.key }.map { "\($0.key):\($0.value.shown)" }.joined(separator: " "))]"
        }
    }

    /// What counts as true: all but false, zero and what is empty.
    var isTrue: Bool {
        switch self {
        case .null: false
        case .bool(let value): value
        case .integer(let value): value != 0
        case .number(let value): value != 0
        case .string(let value): !value.isEmpty
        case .array(let values): !values.isEmpty
        case .object(let members): !members.isEmpty
        }
    }

    private var asNumber: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }

    func isEqual(to other: JSONValue) -> Bool {
        if let mine = asNumber, let theirs = other.asNumber { return mine == theirs }
        return self == other
    }

    /// Failure where the two can't be compared.
    func isLess(than other: JSONValue) throws -> Bool {
        if let mine = asNumber, let theirs = other.asNumber { return mine < theirs }
        guard case (.string(let mine), .string(let theirs)) = (self, other) else {
            throw Failure("--format: \(shown) and \(other.shown) can't be compared", exitCode: 64)
        }
        return mine < theirs
    }
}
