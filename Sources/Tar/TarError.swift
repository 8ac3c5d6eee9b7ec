/// What is wrong with a tar. The reader adds which tar and which entry.
struct TarError: Error {
    let reason: String
    init(_ reason: String) { self.reason = reason }
}

extension String {
    /// A name for messages: quoted, with control characters and bytes that are not UTF-8 made visible, and
    /// shortened.
    package static func quoting(_ name: some Collection<UInt8>) -> String {
        var text = ""
        for scalar in String(decoding: name.prefix(200), as: UTF8.self).unicodeScalars {
            text +=
                scalar.properties.generalCategory == .control || scalar == "\"" || scalar == "\\"
                ? scalar.escaped(asASCII: true) : String(scalar)
        }
        return "\"\(text)\(name.count > 200 ? "…" : "")\""
    }
}
