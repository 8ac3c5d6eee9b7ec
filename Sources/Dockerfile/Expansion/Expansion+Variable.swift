extension Expansion.Reader {
    /// What comes behind a `$`.
    mutating func variable() throws(DockerfileError) -> String {
        guard rest.first == "{" else {
            let name = name()
            if name.isEmpty { return "$" }
            return variables[name] ?? (expansion.keepsUnset ? "$\(name)" : "")
        }
        rest.removeFirst()
        guard let first = rest.first else { throw missingBrace }
        guard first != "{", first != "}", first != ":" else {
            throw DockerfileError("syntax error: bad substitution")
        }
        let name = name()
        guard let modifier = rest.popFirst() else { throw missingBrace }
        switch modifier {
        case "}": return variables[name] ?? (expansion.keepsUnset ? "${\(name)}" : "")
        case "/": return try replaced(name)
        case ":":
            guard let behind = rest.popFirst() else { throw missingBrace }
            return try modified(name, behind, emptyIsUnset: true)
        default: return try modified(name, modifier, emptyIsUnset: false)
        }
    }

    private var missingBrace: DockerfileError { DockerfileError("syntax error: missing '}'") }

    /// Letters, digits and underscores; or only digits; or one of the shell's special parameters, which are never set.
    private mutating func name() -> String {
        guard let first = rest.first else { return "" }
        let name: Substring.UnicodeScalarView
        if first.isDecimalDigit {
            name = rest.prefix { $0.isDecimalDigit }
        } else if "@*#?-$!".unicodeScalars.contains(first) {
            name = rest.prefix(1)
        } else {
            name = rest.prefix { $0 == "_" || $0.isDecimalDigit || $0.isLetter }
        }
        rest = rest[name.endIndex...]
        return String(name)
    }

    private mutating func modified(
        _ name: String,
        _ modifier: Unicode.Scalar,
        emptyIsUnset: Bool
    ) throws(DockerfileError) -> String {
        let written = "\(emptyIsUnset ? ":" : "")\(modifier)"
        let trims = modifier == "#" || modifier == "%"
        guard trims ? !emptyIsUnset : modifier == "-" || modifier == "+" || modifier == "?" else {
            throw DockerfileError("unsupported modifier (\(written)) in substitution")
        }
        let word = try inner(until: "}", keepsEscapes: trims)
        let value = variables[name]
        if value == nil, expansion.keepsUnset { return "${\(name)\(written)\(word)}" }
        let isSet = value.map { !emptyIsUnset || !$0.isEmpty } ?? false
        switch modifier {
        case "-": return isSet ? value ?? "" : word
        case "+": return isSet ? word : ""
        case "?":
            guard isSet, let value else {
                let reason = value == nil ? "is not allowed to be unset" : "is not allowed to be empty"
                throw DockerfileError("\(name): \(word.isEmpty ? reason : word)")
            }
            return value
        default: return try trimmed(value ?? "", word, fromEnd: modifier == "%")
        }
    }

    /// A second `#` or `%` at the beginning of the pattern asks for the longest match.
    private func trimmed(
        _ value: String,
        _ word: String,
        fromEnd: Bool
    ) throws(DockerfileError) -> String {
        let isLongest = word.unicodeScalars.first == (fromEnd ? "%" : "#")
        let text = isLongest ? String(word.unicodeScalars.dropFirst()) : word
        var pattern = try ShellPattern(text)
        var scalars = Array(value.unicodeScalars)
        if fromEnd {
            pattern.reverse()
            scalars.reverse()
        }
        guard let end = try pattern.match(in: scalars, from: 0, longest: isLongest) else { return value }
        let rest = fromEnd ? Array(scalars[end...].reversed()) : Array(scalars[end...])
        return String(String.UnicodeScalarView(rest))
    }

    private mutating func replaced(_ name: String) throws(DockerfileError) -> String {
        let replacesAll = rest.first == "/"
        if replacesAll { rest.removeFirst() }
        let pattern: String
        do {
            pattern = try inner(until: "/", keepsEscapes: true)
        } catch {
            throw rest.isEmpty ? DockerfileError("syntax error: missing '/' in ${}") : error
        }
        let replacement = try inner(until: "}", keepsEscapes: true)
        guard let value = variables[name] else {
            return expansion.keepsUnset ? "${\(name)/\(pattern)/\(replacement)}" : ""
        }
        let matcher = try ShellPattern(pattern)
        let scalars = Array(value.unicodeScalars)
        var result = String.UnicodeScalarView()
        var size = 0
        var (done, position) = (0, 0)
        while position <= scalars.count {
            guard let match = try matcher.firstMatch(in: scalars, from: position) else { break }
            result.append(contentsOf: scalars[done..<match.lowerBound])
            // Nothing, matched right behind a match, is no match.
            if match.upperBound > done || match.lowerBound == 0 {
                result.append(contentsOf: replacement.unicodeScalars)
                size += replacement.utf8.count
            }
            guard size <= limit else { throw DockerfileError("it expands to more than \(limit) bytes") }
            done = match.upperBound
            position = max(position + 1, match.upperBound)
            if !replacesAll { break }
        }
        result.append(contentsOf: scalars[min(done, scalars.count)...])
        return String(result)
    }

    private mutating func inner(
        until end: Unicode.Scalar,
        keepsEscapes: Bool
    ) throws(DockerfileError) -> String {
        do {
            return try read(until: end, keepsEscapes: keepsEscapes).text
        } catch {
            throw rest.isEmpty && end == "}" ? missingBrace : error
        }
    }
}

extension Unicode.Scalar {
    var isLetter: Bool {
        switch properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
        default: false
        }
    }

    var isDecimalDigit: Bool { properties.generalCategory == .decimalNumber }
}
