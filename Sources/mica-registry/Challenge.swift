/// One WWW-Authenticate (RFC 9110, section 11): a scheme and its parameters.
struct Challenge {
    let scheme: String
    private(set) var parameters: [String: String] = [:]

    init?(_ text: String) {
        guard let first = text.split(separator: " ", maxSplits: 1).first else { return nil }
        scheme = first.lowercased()
        var rest = text[first.endIndex...]
        while true {
            rest = rest.drop { $0 == " " || $0 == "," || $0 == "\t" }
            guard let equals = rest.firstIndex(of: "=") else { return }
            let name = rest[..<equals].trimmed.lowercased()
            rest = rest[rest.index(after: equals)...]
            var value = ""
            if rest.first == "\"" {
                rest = rest.dropFirst()
                while let next = rest.first, next != "\"" {
                    rest = rest.dropFirst()
                    if next == "\\", let escaped = rest.first {
                        value.append(escaped)
                        rest = rest.dropFirst()
                    } else {
                        value.append(next)
                    }
                }
                rest = rest.dropFirst()
            } else {
                value = String(rest.prefix { $0 != "," && $0 != " " })
                rest = rest.dropFirst(value.count)
            }
            parameters[name] = parameters[name] ?? value
        }
    }
}
