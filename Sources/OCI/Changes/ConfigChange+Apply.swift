import Linux

extension ConfigChange.Instruction {
    func apply(to config: inout ImageConfig.Process) throws {
        let words = Expansion(environment: config.environment ?? [])
        switch name {
        case "CMD": config.command = try command(rest, config.shell)
        case "ENTRYPOINT":
            let command = try command(rest, config.shell)
            config.entrypoint = command.isEmpty ? nil : command
        case "ENV":
            for (name, value) in try pairs(words) { set(name, value, in: &config.environment) }
        case "LABEL":
            for (name, value) in try pairs(words) {
                config.labels = (config.labels ?? [:]).merging([name: value]) { $1 }
            }
        case "EXPOSE":
            for word in try rest.split(whereSeparator: \.isWhitespace).flatMap({ try expand($0, words) }) {
                for port in try PortRange(word, of: self).ports {
                    config.exposedPorts = (config.exposedPorts ?? [:]).merging([port: .init()]) { $1 }
                }
            }
        case "VOLUME":
            for word in try list(rest) ?? rest.split(whereSeparator: \.isWhitespace).map(String.init) {
                let path = String(try expanded(word[...], words)[...].trimmed)
                guard !path.isEmpty else { throw failure("a volume without a path") }
                config.volumes = (config.volumes ?? [:]).merging([path: .init()]) { $1 }
            }
        case "WORKDIR": config.workingDirectory = try directory(words, in: config.workingDirectory)
        case "USER": config.user = try expanded(rest, words)
        case "STOPSIGNAL":
            let signal = try expanded(rest, words)
            do { _ = try Signal(parsing: signal) } catch let error as Failure { throw failure(error.message) }
            config.stopSignal = signal
        case "HEALTHCHECK": config.healthcheck = try healthcheck()
        case "ONBUILD": config.onBuild = (config.onBuild ?? []) + [try trigger()]
        default: break
        }
    }

    /// `["a", "b"]` unchanged, all else through the shell. Variables stay: the shell expands them.
    func command(_ text: Substring, _ shell: [String]?) throws -> [String] {
        try list(text) ?? (shell ?? ["/bin/sh", "-c"]) + [String(text)]
    }

    /// nil where `text` is not a JSON array.
    func list(_ text: Substring) throws -> [String]? {
        guard text.hasPrefix("["),
            let values = try? JSONDocument.decode([JSONValue].self, from: Array(text.utf8), name: name)
        else { return nil }
        return try values.map { value in
            guard case .string(let word) = value else { throw failure("not all of the list are strings") }
            return word
        }
    }

    private func set(_ name: String, _ value: String, in environment: inout [String]?) {
        var variables = environment ?? []
        if let known = variables.firstIndex(where: { $0.prefix { $0 != "=" } == name }) {
            variables[known] = "\(name)=\(value)"
        } else {
            variables.append("\(name)=\(value)")
        }
        environment = variables
    }

    /// `NAME=value NAME="a value"`, or `NAME a value`.
    private func pairs(_ words: Expansion) throws -> [(String, String)] {
        let (first, value) = rest.firstWord
        guard first.contains("=") else {
            guard !value.isEmpty else { throw failure("expected NAME=value") }
            return [(try expanded(first, words), try expanded(value, words))]
        }
        return try quotedWords().map { word in
            guard let equals = word.firstIndex(of: "=") else {
                throw failure("\"\(word)\" is not NAME=value")
            }
            let name = try expanded(word[..<equals], words)
            guard !name.isEmpty else { throw failure("\"\(word)\" is not NAME=value") }
            return (name, try expanded(word[word.index(after: equals)...], words))
        }
    }

    /// Splits at spaces outside of quotes; quotes and backslashes stay in the words.
    private func quotedWords() throws -> [Substring] {
        var result: [Substring] = []
        var start: Substring.Index?
        var quote: Character?
        var isEscaped = false
        for position in rest.indices {
            let character = rest[position]
            if isEscaped {
                isEscaped = false
            } else if character == "\\", quote != "'" {
                isEscaped = true
            } else if let open = quote {
                if character == open { quote = nil }
            } else if character == "\"" || character == "'" {
                quote = character
            } else if character.isWhitespace {
                if let begin = start { result.append(rest[begin..<position]) }
                start = nil
                continue
            }
            if start == nil { start = position }
        }
        if let begin = start { result.append(rest[begin...]) }
        return result
    }

    private func expanded(_ text: Substring, _ words: Expansion) throws -> String {
        do { return try words.word(text) } catch { throw failure(error.reason) }
    }

    private func expand(_ text: Substring, _ words: Expansion) throws -> [String] {
        do { return try words.words(text) } catch { throw failure(error.reason) }
    }

    private func directory(_ words: Expansion, in current: String?) throws -> String {
        let path = try expanded(rest, words)
        guard !path.isEmpty else { throw failure("a directory without a name") }
        if path.hasPrefix("/") { return path }
        var parts: [Substring] = []
        for part in "\(current ?? "")/\(path)".split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return "/" + parts.joined(separator: "/")
    }

    /// An instruction for builds that start from the image, unchanged.
    private func trigger() throws -> String {
        let instruction = rest.firstWord.word.uppercased()
        let known = [
            "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "RUN",
            "SHELL",
            "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
        ]
        guard known.contains(instruction) else {
            throw failure("expected one of \(known.joined(separator: ", ")) after ONBUILD")
        }
        return String(rest)
    }
}
