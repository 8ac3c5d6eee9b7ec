import Linux

/// One instruction that changes how an image's containers start, as in a Dockerfile: `CMD ["sh"]`,
/// `ENV NAME=value`, `EXPOSE 80/tcp`. For `--change` of import and commit.
package struct ConfigChange: Sendable {
    private let instruction: String
    private let words: Substring

    /// Throws a `Failure` for an instruction that changes no config.
    package init(_ text: String) throws {
        let trimmed = text.drop { $0.isWhitespace }
        let name = trimmed.prefix { !$0.isWhitespace }
        var rest = trimmed.dropFirst(name.count).drop { $0.isWhitespace }
        while rest.last?.isWhitespace == true { rest.removeLast() }
        instruction = name.uppercased()
        words = rest
        let known = [
            "CMD", "ENTRYPOINT", "ENV", "EXPOSE", "LABEL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
        ]
        guard known.contains(instruction) else {
            throw Failure("change \"\(text)\": expected one of \(known.joined(separator: ", "))")
        }
        guard !words.isEmpty else { throw Failure("change \"\(text)\": nothing comes after \(instruction)") }
    }

    package func apply(to config: inout ImageConfig.Process) throws {
        switch instruction {
        case "CMD": config.command = command()
        case "ENTRYPOINT": config.entrypoint = command()
        case "ENV":
            for (name, value) in try pairs() {
                let others = (config.environment ?? []).filter { !$0.hasPrefix("\(name)=") }
                config.environment = others + ["\(name)=\(value)"]
            }
        case "LABEL":
            for (name, value) in try pairs() {
                config.labels = (config.labels ?? [:]).merging([name: value]) { $1 }
            }
        case "EXPOSE":
            for word in try split() {
                let port = word.contains("/") ? word : "\(word)/tcp"
                config.exposedPorts = (config.exposedPorts ?? [:]).merging([port: .init()]) { $1 }
            }
        case "VOLUME":
            for path in try array() ?? split() {
                config.volumes = (config.volumes ?? [:]).merging([path: .init()]) { $1 }
            }
        case "WORKDIR": config.workingDirectory = absolute(String(words), in: config.workingDirectory)
        case "USER": config.user = String(words)
        case "STOPSIGNAL": config.stopSignal = String(words)
        default: break
        }
    }

    /// `["a", "b"]` as it is, anything else through the shell.
    private func command() -> [String] { array() ?? ["/bin/sh", "-c", String(words)] }

    private func array() -> [String]? {
        guard words.hasPrefix("[") else { return nil }
        return try? JSONDocument.decode([String].self, from: Array(words.utf8), name: instruction)
    }

    /// `NAME=value NAME="a value"`, or `NAME a value`.
    private func pairs() throws -> [(String, String)] {
        let first = words.prefix { !$0.isWhitespace }
        guard first.contains("=") else {
            let value = words.dropFirst(first.count).drop { $0.isWhitespace }
            guard !value.isEmpty else {
                throw Failure("change \"\(instruction) \(words)\": expected NAME=value")
            }
            return [(String(first), String(value))]
        }
        return try split().map { word in
            guard let equals = word.firstIndex(of: "="), equals != word.startIndex else {
                throw Failure("change \"\(instruction) \(words)\": \"\(word)\" is not NAME=value")
            }
            return (String(word[..<equals]), String(word[word.index(after: equals)...]))
        }
    }

    /// Words as a shell splits them: quotes and backslashes, no variables.
    private func split() throws -> [String] {
        var result: [String] = []
        var word: String?
        var quote: Character?
        var isEscaped = false
        for character in words {
            if isEscaped {
                word = (word ?? "") + String(character)
                isEscaped = false
            } else if character == "\\", quote != "'" {
                isEscaped = true
            } else if let open = quote {
                if character == open { quote = nil } else { word = (word ?? "") + String(character) }
            } else if character == "\"" || character == "'" {
                quote = character
                word = word ?? ""
            } else if character.isWhitespace {
                if let word { result.append(word) }
                word = nil
            } else {
                word = (word ?? "") + String(character)
            }
        }
        guard quote == nil, !isEscaped else {
            throw Failure("change \"\(instruction) \(words)\": a quote is not closed")
        }
        if let word { result.append(word) }
        return result
    }

    private func absolute(_ path: String, in directory: String?) -> String {
        if path.hasPrefix("/") { return path }
        let parent = directory ?? "/"
        return parent.hasSuffix("/") ? parent + path : "\(parent)/\(path)"
    }
}
