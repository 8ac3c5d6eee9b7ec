import Linux
import SystemPackage

import Glibc

/// Normalizes a command line as users of docker, podman and getopt type it for the parser: options by their whole
/// name, a value as a word of its own (after `=` where it begins with a dash), no clusters, no flags with values.
/// Unknown verbs and options are refused here, with the nearest known one.
struct CommandWords {
    private var rest: ArraySlice<String>
    private var output: [String] = []
    private var verb = ""
    private var grammar = Grammar("")

    /// Failure (exit code 64, or 125 for verbs whose status is a command's) for an unknown verb or option.
    static func plain(_ words: [String]) throws -> [String] {
        var words = CommandWords(rest: words[...])
        return try words.read() ?? words.output
    }

    private init(rest: ArraySlice<String>) { self.rest = rest }

    /// nil: the normalized words are in `output`.
    private mutating func read() throws -> [String]? {
        // The parser's own options.
        if let first = rest.first, first == "---completion" || Misuse.isForParser(first) {
            return Array(rest)
        }
        while let word = rest.first, word.hasPrefix("-"), word != "-" {
            rest.removeFirst()
            guard try readLeading(word) else { return [word] }
        }
        if let form = MountCommand.helperForm(Array(rest)) { return form }
        guard let first = rest.popFirst() else { return [] }
        if first == "help" { return try help() }
        try takeVerb(first)
        if try takeOptions() { return output + ["--help"] }
        return nil
    }

    /// Reads an option before the verb. false: the rest does not matter.
    private mutating func readLeading(_ word: String) throws -> Bool {
        switch word {
        case "-h", "--help", "--version": return false
        case "-v":
            rest = ["version"]
        case "--root":
            guard let value = rest.popFirst() else { throw Misuse.noValue(for: "--root", of: "") }
            setenv("MICA_ROOT", value, 1)
        case _ where word.hasPrefix("--root="): setenv("MICA_ROOT", String(word.dropFirst(7)), 1)
        default: throw Misuse.noOption(word, of: "", Grammar(""))
        }
        return true
    }

    private mutating func help() throws -> [String] {
        while rest.first?.hasPrefix("-") == true { rest.removeFirst() }
        guard let first = rest.popFirst() else { return ["--help"] }
        try takeVerb(first)
        if Grammar.isGroup(verb), let member = rest.popFirst() {
            guard Grammar.of("\(verb) \(member)") != nil else { throw Misuse.noVerb(verb, member) }
            output.append(member)
        }
        return output + ["--help"]
    }

    private mutating func takeVerb(_ first: String) throws {
        var first = first
        if let members = Foreign.members(of: first) {
            // docker's `container ls` is its `ps`.
            var wantsHelp = false
            while let word = rest.first, word.hasPrefix("-"), Misuse.asksForHelp(word) {
                rest.removeFirst()
                wantsHelp = true
            }
            let member = rest.popFirst()
            if let member, Grammar.of("\(first) \(member)") != nil {
                // mica has a group with this verb.
                rest.insert(member, at: rest.startIndex)
            } else if let member {
                guard let same = members(member) else { throw Misuse.noVerb(first, member) }
                first = same
            } else if !Grammar.isGroup(first) {
                throw Misuse.noVerb(first, nil)
            }
            if wantsHelp { rest.append("--help") }
        }
        guard let found = Grammar.of(first) else { throw Misuse.noVerb(first, nil) }
        (verb, grammar, output) = (first, found, [first])
    }

    /// true when help is asked for.
    private mutating func takeOptions() throws -> Bool {
        while let word = rest.popFirst() {
            if word == "--" {
                // A name with a dash would be read as an option further on; a script that writes `--` may not know
                // the name.
                if grammar.endsAtOperand, let name = rest.first, name.hasPrefix("-") {
                    throw Misuse.noName(name, of: verb)
                }
                output += (grammar.endsAtOperand || rest.isEmpty ? [] : ["--"]) + rest
                return false
            }
            guard word.hasPrefix("-"), word != "-" else {
                if Grammar.isGroup(verb) {
                    guard let found = Grammar.of("\(verb) \(word)") else { throw Misuse.noVerb(verb, word) }
                    (verb, grammar) = ("\(verb) \(word)", found)
                    output.insert(word, at: 1)
                    continue
                }
                output.append(word)
                guard grammar.endsAtOperand else { continue }
                output += rest
                return false
            }
            if try word.hasPrefix("--") ? takeLong(word) : takeCluster(word) { return true }
        }
        return false
    }

    private mutating func takeLong(_ word: String) throws -> Bool {
        let parts = word.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard let name = parts.first, name.utf8.count > 1, let option = grammar.option(name) else {
            throw Misuse.noOption(word, of: verb, grammar)
        }
        return try take(option, as: "--\(name)", value: parts.count > 1 ? String(parts[1]) : nil)
    }

    /// `-q`, `-it`, `-eA=1`, `-e=A=1`, `-itv/a:/b`
    private mutating func takeCluster(_ word: String) throws -> Bool {
        var letters = word.dropFirst()
        while let letter = letters.popFirst() {
            guard let option = grammar.option(String(letter)) else {
                throw Misuse.noOption(word, letter: letter, of: verb, grammar)
            }
            var value: String?
            if letters.first == "=" {
                value = String(letters.dropFirst())
            } else if option.takesValue, !letters.isEmpty {
                value = String(letters)
            }
            if try take(option, as: "-\(letter)", value: value) { return true }
            if value != nil { return false }
        }
        return false
    }

    private mutating func take(_ option: Grammar.Option, as name: String, value: String?) throws -> Bool {
        let canonical = option.canonical
        if option.takesChoice {
            let choice = value.map { $0.lowercased() } ?? "true"
            output += ["\(canonical)=\(choice)"]
            return false
        }
        guard option.takesValue else {
            let isOn = try value.map { try Misuse.truth($0, of: name) } ?? true
            // Operands with a dash come after `--`, values after `=`: this is the flag itself.
            output.removeAll { $0 == canonical }
            if isOn, canonical != "--help" { output.append(canonical) }
            return isOn && canonical == "--help"
        }
        guard let value = value ?? rest.popFirst() else { throw Misuse.noValue(for: name, of: verb) }
        output += value.hasPrefix("-") ? ["\(canonical)=\(value)"] : [canonical, value]
        return false
    }
}
