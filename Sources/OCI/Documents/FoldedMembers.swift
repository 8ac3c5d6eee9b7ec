/// The members of a JSON object by their names in any letter case, which is how Go's decoder, and so docker, finds
/// them: some tools, such as those in Java, write `layers` for `Layers`.
struct FoldedMembers<Key: CodingKey> {
    private struct Name: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    private let container: KeyedDecodingContainer<Name>
    private let names: [String: [Name]]

    init(_ decoder: any Decoder, by keys: Key.Type) throws {
        container = try decoder.container(keyedBy: Name.self)
        names = Dictionary(grouping: container.allKeys) { $0.stringValue.lowercased() }
    }

    /// nil where there is none, or null. One name in two spellings is refused: each reader would take another.
    func value<Value: Decodable>(_ key: Key) throws -> Value? {
        let found = names[key.stringValue.lowercased()] ?? []
        guard let name = found.first else { return nil }
        guard found.count == 1 else {
            throw DecodingError.dataCorrupted(
                .init(
                    codingPath: container.codingPath + [key],
                    debugDescription: "it is there as "
                        + found.map { "\"\($0.stringValue)\"" }.sorted().joined(separator: " and as ")
                )
            )
        }
        return try container.decodeIfPresent(Value.self, forKey: name)
    }

    func required<Value: Decodable>(_ key: Key) throws -> Value {
        guard let value: Value = try value(key) else {
            throw DecodingError.keyNotFound(
                key,
                .init(codingPath: container.codingPath, debugDescription: "it is missing")
            )
        }
        return value
    }

    /// A list; like docker, a single string counts as a list of one.
    func list(_ key: Key) throws -> [String]? {
        do { return try value(key) } catch let error as DecodingError {
            guard case .typeMismatch = error, let single: String = try? value(key) else { throw error }
            return [single]
        }
    }
}
