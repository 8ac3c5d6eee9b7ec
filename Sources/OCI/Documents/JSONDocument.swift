import FoundationEssentials
import Linux

/// Reading and writing the JSON documents of images.
package enum JSONDocument {
    /// In bytes, for a manifest or an index; a config's history can be longer.
    package static let manifestLimit = 4 << 20
    package static let configLimit = 8 << 20

    /// `name` is the document's name in errors.
    package static func decode<Value: Decodable>(
        _ type: Value.Type,
        from bytes: [UInt8],
        name: String
    ) throws -> Value {
        if let twice = RepeatedName.first(in: bytes) {
            throw Failure("\(name): \"\(twice)\" is there twice: every reader would take another")
        }
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch let failure as Failure {
            throw Failure("\(name): \(failure.message)", advice: failure.advice)
        } catch let error as DecodingError {
            // The decoder says of a number without a place in its type what it says of text that is not JSON.
            if case .dataCorrupted(let context) = error, context.codingPath.isEmpty,
                (try? JSONDecoder().decode(JSONValue.self, from: Data(bytes))) != nil
            {
                throw Failure("\(name): a number in it is out of range")
            }
            throw Failure("\(name): \(explanation(error))")
        } catch {
            throw Failure("\(name): not valid JSON")
        }
    }

    /// Keys are sorted and there are no spaces: the same value gives the same bytes, and so the same digest.
    package static func encode(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(value))
    }

    private static func explanation(_ error: DecodingError) -> String {
        func place(_ path: [any CodingKey]) -> String {
            path.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }.joined(separator: ".")
        }
        switch error {
        case .keyNotFound(let key, let context): return "\"\(place(context.codingPath + [key]))\" is missing"
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            return "\"\(place(context.codingPath))\" is not of the type it should be"
        case .dataCorrupted(let context):
            let path = place(context.codingPath)
            return path.isEmpty ? "not valid JSON" : "\"\(path)\": \(context.debugDescription)"
        @unknown default: return "not as expected"
        }
    }
}
