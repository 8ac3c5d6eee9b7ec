import ArgumentParser
import FoundationEssentials
import Linux

/// `--format json|table`.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
    case table, json
}

/// Prints `value` as indented JSON, keys sorted, slashes unescaped.
func printJSON(_ value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    print(printable(String(decoding: try encoder.encode(value), as: UTF8.self)))
}

/// Equivalent JSON without control characters that a terminal may obey: the encoder leaves DEL and everything above.
private func printable(_ json: String) -> String {
    var result = String.UnicodeScalarView()
    for scalar in json.unicodeScalars {
        guard Printable.isControl(scalar), scalar != "\n" else {
            result.append(scalar)
            continue
        }
        let digits = String(scalar.value, radix: 16)
        result += ("\\u" + String(repeating: "0", count: 4 - digits.count) + digits).unicodeScalars
    }
    return String(result)
}
