extension InstructionParser {
    private static let shared: [String: Flags.Kind] = [
        "chown": .text, "chmod": .text, "link": .bool, "exclude": .texts,
    ]

    func copy() throws(DockerfileError) -> Instruction.Copy {
        let known = InstructionParser.shared.merging(["from": .text, "parents": .bool]) { $1 }
        let texts = try paths()
        let flags = try Flags(line.flags, known: known)
        let from = flags.text("from")
        if let from, !from.isEmpty {
            let expanded = try? Word(from, escape: line.escape).expand(with: Variables())
            guard expanded == from else {
                throw DockerfileError(
                    "variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as a workaround"
                )
            }
        }
        return Instruction.Copy(
            files: try files(texts, flags),
            from: from?.isEmpty == true ? nil : from,
            keepsParents: flags.bool("parents") ?? false
        )
    }

    func add() throws(DockerfileError) -> Instruction.Add {
        let own: [String: Flags.Kind] = ["checksum": .text, "keep-git-dir": .bool, "unpack": .bool]
        let texts = try paths()
        let flags = try Flags(line.flags, known: InstructionParser.shared.merging(own) { $1 })
        return Instruction.Add(
            files: try files(texts, flags),
            checksum: filled(flags.text("checksum")),
            keepsGitDirectory: flags.bool("keep-git-dir"),
            unpacks: flags.bool("unpack")
        )
    }

    /// An empty value is none.
    private func filled(_ text: String?) -> Word? { text.flatMap { $0.isEmpty ? nil : word($0) } }

    private func paths() throws(DockerfileError) -> [String] {
        let texts = try JSONWords.parse(line.rest) ?? spaced
        guard texts.count >= 2 else {
            throw DockerfileError(
                "\(name) requires at least two arguments, but only one was provided. Destination could not be determined"
            )
        }
        return texts
    }

    private func files(_ texts: [String], _ flags: Flags) throws(DockerfileError) -> Instruction.Files {
        var files = Instruction.Files()
        files.chown = filled(flags.text("chown"))
        files.chmod = filled(flags.text("chmod"))
        files.isLinked = flags.bool("link") ?? false
        files.excludes = flags.texts("exclude")
        do { _ = try PathPatterns(files.excludes) } catch {
            throw DockerfileError("--exclude: \(error.message)")
        }
        let isList = try JSONWords.parse(line.rest) != nil
        for (position, text) in texts.enumerated() {
            let opened = isList ? nil : Heredoc.opening(text)
            let isLast = position == texts.count - 1
            if opened != nil, isLast {
                throw DockerfileError("\(name) cannot accept a heredoc as a destination")
            }
            if isLast {
                files.destination = word(text)
            } else if let opened, let document = documents.last(where: { $0.name == opened.name }) {
                files.documents.append(document)
            } else {
                files.sources.append(word(text))
            }
        }
        return files
    }
}
