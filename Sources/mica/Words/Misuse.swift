import ArgumentParser
import Linux

/// Messages about words that no verb knows.
enum Misuse {
    /// sysexits(3)'s EX_USAGE.
    static let usage: Int32 = 64

    /// The parser's own options, used by programs.
    static func isForParser(_ word: String) -> Bool {
        word.hasPrefix("--generate-completion-script") || word == "--experimental-dump-help"
            || word == "--help-hidden"
    }

    static func asksForHelp(_ word: String) -> Bool { word == "-h" || word == "--help" }

    /// The words that pflag, docker's parser, takes for a truth value.
    static func truth(_ text: String, of option: String) throws -> Bool {
        switch text {
        case "1", "t", "T", "true", "TRUE", "True": return true
        case "0", "f", "F", "false", "FALSE", "False": return false
        default:
            throw Failure(
                "\(option) is on or off: it takes true or false, not \"\(text)\"",
                exitCode: status(of: "")
            )
        }
    }

    static func noValue(for option: String, of verb: String) -> Failure {
        Failure("\(option) wants a value", advice: "See: \(help(verb))", exitCode: status(of: verb))
    }

    /// For a word after `--`.
    static func noName(_ word: String, of verb: String) -> Failure {
        Failure(
            "\(verb): \(word) is no name",
            advice: "What comes first after -- is an image or a container.",
            exitCode: status(of: verb)
        )
    }

    /// `member`: the second word where the first is a group of verbs.
    static func noVerb(_ first: String, _ member: String?) -> Failure {
        let name = [first, member].compactMap { $0 }.joined(separator: " ")
        if let use = Foreign.verb(member.map { _ in name } ?? first) ?? Foreign.verb(member ?? "") {
            return Failure("there is no verb \"\(name)\"", advice: use, exitCode: status(of: ""))
        }
        let near: String?
        if let member {
            near = nearest(member, among: verbs(of: first)).map { "\(first) \($0)" }
        } else {
            near = nearest(first, among: verbs(of: nil))
        }
        let advice = near.map { "Did you mean \($0)? " } ?? ""
        let group = member != nil && Grammar.isGroup(first) ? "mica \(first) --help" : "mica --help"
        return Failure(
            "there is no verb \"\(name)\"",
            advice: "\(advice)\(group) lists what there is.",
            exitCode: usage
        )
    }

    /// `word`: as typed. `letter`: the unknown letter of a word with one dash.
    static func noOption(_ word: String, letter: Character? = nil, of verb: String, _ grammar: Grammar)
        -> Failure
    {
        let long = String(word.drop { $0 == "-" }.prefix { $0 != "=" })
        let name = letter.map { String($0) } ?? long
        let subject = verb.isEmpty ? "mica" : verb
        var message = "\(subject) has no \(Grammar.dashed(name))"
        if letter != nil, long.utf8.count > 1 { message += " (in \(word))" }
        var advice = Foreign.option(name, of: verb)
        if advice == nil {
            // One dash and a word, as find(1) and Go's programs take options.
            let typed = letter == nil ? name : long
            let names = grammar.options.flatMap(\.names).filter { $0.utf8.count > 1 }.map(String.init)
            let near = typed.utf8.count > 1 ? nearest(typed, among: names) : nil
            advice = (near.map { "Did you mean --\($0)? " } ?? "") + "See: \(help(verb))"
        }
        return Failure(message, advice: advice, exitCode: status(of: verb))
    }

    private static func help(_ verb: String) -> String {
        verb.isEmpty ? "mica --help" : "mica \(verb) --help"
    }

    /// Every status below 125 would be taken for that of the command in the container.
    static func status(of verb: String) -> Int32 { verb == "run" || verb == "exec" ? 125 : usage }

    private static func verbs(of group: String?) -> [String] {
        let all = Mica.configuration.subcommands.map { $0.configuration }
        guard let group else { return all.filter { $0.shouldDisplay }.compactMap { $0.commandName } }
        let members = all.first { $0.commandName == group }?.subcommands ?? []
        return members.map { $0._commandName }
    }

    /// The likely intended word: nil rather than one that misleads.
    private static func nearest(_ word: String, among candidates: [String]) -> String? {
        let limit = word.count <= 3 ? 1 : word.count <= 8 ? 2 : 3
        let ranked = candidates.map { candidate in
            // `--interact`, `--detached`: one is the beginning of the other.
            let isCut = word.count > 2 && (candidate.hasPrefix(word) || word.hasPrefix(candidate))
            return (distance: isCut ? 0 : distance(word, candidate), name: candidate)
        }
        return ranked.filter { $0.distance <= limit && $0.distance < word.count }
            .min { $0.distance < $1.distance }?.name
    }

    /// The number of letters that are missing, superfluous, wrong, or swapped with their neighbour.
    private static func distance(_ a: String, _ b: String) -> Int {
        let (a, b) = (Array(a.utf8.prefix(64)), Array(b.utf8.prefix(64)))
        var rows = [Array(0...b.count)]
        for i in a.indices {
            var row = [i + 1]
            for j in b.indices {
                var best = min(rows[i][j] + (a[i] == b[j] ? 0 : 1), rows[i][j + 1] + 1, row[j] + 1)
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
                    best = min(best, rows[i - 1][j - 1] + 1)
                }
                row.append(best)
            }
            rows.append(row)
        }
        return rows[a.count][b.count]
    }
}
