extension Instruction.MountFlag {
    static let keys = [
        "type", "from", "source", "target", "readonly", "id", "sharing", "required", "size", "mode", "uid",
        "gid", "src", "dst", "destination", "ro", "rw", "readwrite", "env",
    ]

    /// Checks what does not depend on variables.
    init(_ text: String, escape: Escape) throws(DockerfileError) {
        self.text = text
        fields = try Instruction.MountFlag.split(text).map { field in
            let (key, value) = field.cutAtEquals
            return Field(key: key.lowercased(), value: value.map { Word($0, escape: escape) }, text: field)
        }
        let source = fields.last { $0.key == "from" && $0.value != nil }?.value?.text
        if let dollar = source?.utf8.firstIndex(of: UInt8(ascii: "$")), let source,
            source.utf8.index(after: dollar) != source.utf8.endIndex
        {
            throw DockerfileError(
                "'from' doesn't support variable expansion, define alias stage instead"
            )
        }
        from = source?.isEmpty == true ? nil : source
        // A type that is no variable is known now, and so is what is wrong with it.
        if let type = fields.last(where: { $0.key == "type" })?.value?.text, !type.utf8.contains(0x24) {
            _ = try Instruction.MountFlag.kind(type)
        }
        for field in fields where !Instruction.MountFlag.keys.contains(field.key) { throw unknown(field) }
    }

    func unknown(_ field: Field) -> DockerfileError {
        guard field.value != nil else {
            return DockerfileError("invalid field '\(field.text)' must be a key=value pair")
        }
        let hint = Suggestion.text(for: field.key, among: Instruction.MountFlag.keys)
        return DockerfileError("unexpected key '\(field.key)' in '\(field.text)'\(hint)")
    }

    static func kind(_ text: String) throws(DockerfileError) -> Instruction.Mount.Kind {
        let type = text.lowercased()
        if type == "ssh" {
            throw DockerfileError("--mount=type=ssh is not supported: mica forwards no agents")
        }
        guard let kind = Instruction.Mount.Kind(rawValue: type) else {
            let hint = Suggestion.text(for: text, among: Instruction.Mount.Kind.allCases.map(\.rawValue))
            throw DockerfileError("unsupported mount type \"\(text)\"\(hint)")
        }
        return kind
    }

    /// The fields between commas. In double quotes, a comma is a character, and two quotes are one.
    private static func split(_ text: String) throws(DockerfileError) -> [String] {
        var fields: [String] = []
        var rest = text.unicodeScalars[...]
        while true {
            var field = String.UnicodeScalarView()
            if rest.first == "\"" {
                rest.removeFirst()
                var isOpen = true
                while isOpen, let scalar = rest.popFirst() {
                    if scalar != "\"" {
                        field.append(scalar)
                    } else if rest.first == "\"" {
                        field.append(rest.removeFirst())
                    } else {
                        isOpen = false
                    }
                }
                guard !isOpen, rest.first == nil || rest.first == "," else {
                    throw DockerfileError("failed to parse csv mounts: a \" in \(text) is not closed")
                }
            } else {
                field.append(contentsOf: rest.prefix { $0 != "," })
                guard !field.contains("\"") else {
                    throw DockerfileError("failed to parse csv mounts: a bare \" in \(text)")
                }
                rest = rest.drop { $0 != "," }
            }
            fields.append(String(field))
            guard rest.popFirst() != nil else { return fields }
        }
    }
}
