/// Any JSON, for documents that are passed on with unknown fields.
package indirect enum JSONValue: Sendable, Equatable {
    case null
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    /// nil where this is not an object, or has no such member.
    package subscript(_ key: String) -> JSONValue? {
        get {
            guard case .object(let members) = self else { return nil }
            return members[key]
        }
        set {
            var members: [String: JSONValue] = [:]
            if case .object(let old) = self { members = old }
            members[key] = newValue
            self = .object(members)
        }
    }
}

extension JSONValue {
    /// The member of this name in any letter case; setting it leaves only this spelling.
    package subscript(folded key: String) -> JSONValue? {
        get {
            guard case .object(let members) = self else { return nil }
            return members[key] ?? members.first { $0.key.lowercased() == key.lowercased() }?.value
        }
        set {
            var members: [String: JSONValue] = [:]
            if case .object(let old) = self {
                members = old.filter { $0.key.lowercased() != key.lowercased() }
            }
            members[key] = newValue
            self = .object(members)
        }
    }
}

extension JSONValue: Codable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Int64.self) {
            self = .integer(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([JSONValue].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .string(let value): try container.encode(value)
        case .array(let value): try container.encode(value)
        case .object(let value): try container.encode(value)
        }
    }
}
