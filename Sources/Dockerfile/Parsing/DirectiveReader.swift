/// Reads the directives at the top of a Dockerfile. The first line that is none ends them.
struct DirectiveReader {
    private(set) var directives = Directives()
    private var isDone = false
    private var seen: Set<String> = []

    /// Whether the line, which has no end, is a directive.
    mutating func read(_ line: ArraySlice<UInt8>) throws(DockerfileError) -> Bool {
        guard !isDone else { return false }
        guard let (name, value) = DirectiveReader.directive(line) else {
            isDone = true
            return false
        }
        guard seen.insert(name).inserted else {
            throw DockerfileError("only one \(name) parser directive can be used")
        }
        switch name {
        case "syntax":
            try DirectiveReader.check(frontend: value)
            directives.syntax = value
        case "escape":
            guard let escape = Array(value.unicodeScalars).first.flatMap(Escape.init),
                value.unicodeScalars.count == 1
            else {
                throw DockerfileError("invalid escape token '\(value)' does not match ` or \\")
            }
            directives.escape = escape
        default: directives.check = value
        }
        return true
    }

    /// `# name = value`, if the name is one of the three, in lower case.
    private static func directive(_ line: ArraySlice<UInt8>) -> (name: String, value: String)? {
        guard line.first == UInt8(ascii: "#") else { return nil }
        let text = String(decoding: line.dropFirst(), as: UTF8.self)[...].trimmed
        guard let equals = text.unicodeScalars.firstIndex(of: "=") else { return nil }
        let name = text[..<equals].trimmed.lowercased()
        let value = text[text.unicodeScalars.index(after: equals)...].trimmed
        guard ["syntax", "escape", "check"].contains(name), !value.isEmpty else { return nil }
        return (name, String(value))
    }

    /// Other frontends are programs in images, which mica does not execute.
    static func check(frontend value: String) throws(DockerfileError) {
        var name = value.splitAtBlanks(limit: 2)[0][...]
        if let at = name.firstIndex(of: "@") { name = name[..<at] }
        var tag: Substring = "1"
        if let colon = name.lastIndex(of: ":"), !name[colon...].contains("/") {
            tag = name[name.index(after: colon)...]
            name = name[..<colon]
        }
        let isKnown =
            tag == "1" || tag.hasPrefix("1.") || tag.hasPrefix("1-")
            || ["latest", "labs", "experimental", "master", "master-labs"].contains(tag)
        guard isKnown, isDockers(name) else {
            throw DockerfileError(
                "the syntax \(value) is not known: mica reads docker/dockerfile:1, and executes no other frontends"
            )
        }
    }

    /// Also in a mirror, `registry.example/hub/docker/dockerfile`: nothing is fetched, and it is the same language.
    private static func isDockers(_ repository: Substring) -> Bool {
        let host = repository.prefix { $0 != "/" }
        let isElsewhere = host.contains { $0 == "." || $0 == ":" } || host == "localhost"
        return ["docker/dockerfile", "docker/dockerfile-upstream"].contains { name in
            repository == name || isElsewhere && repository.hasSuffix("/\(name)")
        }
    }

    /// A first line that begins with `#!` ends the directives, but BuildKit finds a syntax behind it, and one in a
    /// comment that begins with `//`.
    static func checkHiddenSyntax(_ bytes: ArraySlice<UInt8>) throws(DockerfileError) {
        for mark in ["#", "//"] {
            var lines = SourceLines(bytes)
            while let line = try lines.next()?.withoutLineEnd {
                if lines.number == 1, line.starts(with: "#!".utf8) { continue }
                guard line.starts(with: mark.utf8),
                    let (name, value) = directive([UInt8(ascii: "#")] + line.dropFirst(mark.utf8.count))
                else { break }
                guard name == "syntax" else { continue }
                do { try check(frontend: value) } catch {
                    throw DockerfileError(error.message, lines: lines.number...lines.number)
                }
            }
        }
    }
}
