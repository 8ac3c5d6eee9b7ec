import Foundation
import MountFixtures
import Testing

/// The pages in docs/man against what the programs say of themselves.
@Suite(.timeLimit(.minutes(40))) struct `Man pages` {
    private func page(_ name: String) throws -> [Substring] {
        try String(contentsOf: Tool.package.appendingPathComponent("docs/man/\(name)"), encoding: .utf8)
            .split(separator: "\n")
    }

    private func help(_ program: String, _ verb: [String]) throws -> String {
        try Tool.run(Tool.binaries.appendingPathComponent(program), verb + ["--help"])
    }

    /// The options that stand first in these lines of --help: `  -q, --quiet  Print IDs only.`
    private func options(ofHelp text: String) -> Set<String> {
        var options: Set<String> = []
        for line in text.split(separator: "\n") {
            guard line.hasPrefix("  -") else { continue }
            for word in line.split(separator: " ") {
                // An argument's name may stand between two options; a description ends them.
                if word.hasPrefix("-") {
                    options.insert(String(word.prefix { $0 != "," && $0 != "=" }))
                } else if !word.hasPrefix("<"), word.uppercased() != word {
                    break
                }
            }
        }
        return options
    }

    /// The options of mdoc's `.It Fl q , Fl -quiet`.
    private func options(ofPage lines: some Sequence<Substring>) -> Set<String> {
        var options: Set<String> = []
        for line in lines where line.hasPrefix(".It Fl ") {
            let words = line.split(separator: " ")
            for (macro, name) in zip(words, words.dropFirst()) where macro == "Fl" {
                options.insert("-\(name)")
            }
        }
        return options
    }

    /// Under headings like `SUBCOMMANDS:` and `IMAGE SUBCOMMANDS:`.
    private func subcommands(_ help: String) -> [String] {
        var isList = false
        return help.split(separator: "\n").compactMap { line in
            if !line.hasPrefix(" ") { isList = line.hasSuffix("SUBCOMMANDS:") }
            guard isList, line.hasPrefix("  "), line.dropFirst(2).first?.isLowercase == true else {
                return nil
            }
            // Behind a comma: other names of the same.
            return line.split { " ,".contains($0) }.first.map(String.init)
        }
    }

    /// Every verb, those of `snapshot` too, with what it says.
    private func verbs(under verb: [String] = []) throws -> [(verb: [String], help: String)] {
        let text = try help("mica", verb)
        return try subcommands(text).reduce(into: verb.isEmpty ? [] : [(verb, text)]) { verbs, name in
            verbs += try self.verbs(under: verb + [name])
        }
    }

    @Test func `mica(1) has every verb, and no other`() throws {
        let headings = try page("mica.1").filter { $0.hasPrefix(".Ss mica ") }
        #expect(try headings.map(String.init) == verbs().map { ".Ss mica \($0.verb.joined(separator: " "))" })
    }

    @Test func `mica(1) has every option of every verb, and no other`() throws {
        let page = try page("mica.1")
        for (verb, help) in try verbs() {
            let heading = ".Ss mica \(verb.joined(separator: " "))"
            let section = page.drop { $0 != heading }.dropFirst().prefix {
                !$0.hasPrefix(".Ss") && !$0.hasPrefix(".Sh")
            }
            let common: Set = ["--root", "--version", "-h", "--help"]
            // -h is the hostname's where it is not help's.
            #expect(
                options(ofPage: section).subtracting(common) == options(ofHelp: help).subtracting(common),
                "\(verb)"
            )
        }
    }

    /// Without quotes of any kind, and in one line.
    private func plain(_ text: some StringProtocol) -> String {
        String(text).filter { !"`'‘’“”\"".contains($0) }.split(whereSeparator: \.isWhitespace).joined(
            separator: " "
        )
    }

    /// What a reader sees of mica(1) under each heading of a verb.
    private func sections() throws -> [String: String] {
        let page = Tool.package.appendingPathComponent("docs/man/mica.1").path
        let text = try Tool.run(
            URL(fileURLWithPath: "/bin/sh"),
            ["-c", "mandoc -T utf8 -O width=1000 \(page) | col -bx"]
        )
        var sections: [String: String] = [:]
        var heading: String?
        for line in text.split(separator: "\n") {
            if line.hasPrefix("   mica "), line.dropFirst(3).allSatisfy({ $0.isLowercase || $0 == " " }) {
                heading = String(line.dropFirst(3))
            } else if !line.hasPrefix(" ") {
                heading = nil
            } else if let heading {
                sections[heading, default: ""] += line + " "
            }
        }
        return sections.mapValues(plain)
    }

    private struct Described: Decodable {
        struct Argument: Decodable {
            struct Name: Decodable { let name: String }
            let kind: String
            let shouldDisplay: Bool
            let names: [Name]?
            let abstract: String?
        }
        let commandName: String
        let shouldDisplay: Bool
        let abstract: String?
        let discussion: String?
        let arguments: [Argument]?
        let subcommands: [Described]?

        /// Everything that it says, but of operands, which the page's synopsis has.
        var words: [String] {
            let common = ["help", "version", "root"]
            let options = (arguments ?? []).filter { argument in
                argument.kind != "positional" && argument.shouldDisplay
                    && !(argument.names ?? []).contains { common.contains($0.name) }
            }
            return [abstract, discussion].compactMap(\.self) + options.compactMap(\.abstract)
        }
    }

    @Test func `mica(1) says all that --help says, in the same words`() throws {
        struct Tree: Decodable { let command: Described }
        let dump = try Tool.run(Tool.binaries.appendingPathComponent("mica"), ["--experimental-dump-help"])
        let sections = try sections()
        func check(_ command: Described, _ path: [String]) throws {
            for member in command.subcommands ?? [] where member.shouldDisplay && member.commandName != "help"
            {
                try check(member, path + [member.commandName])
            }
            guard path.count > 1 else { return }
            let name = path.joined(separator: " ")
            let section = try #require(sections[name], "\(name)")
            for text in command.words {
                // A sentence, or a part of one: the page may say more in between.
                for part in plain(text).split(separator: #/[.:;] /#) {
                    let part = part.hasSuffix(".") ? part.dropLast() : part
                    #expect(section.contains(part), "\(name): \(part)")
                }
            }
        }
        try check(JSONDecoder().decode(Tree.self, from: Data(dump.utf8)).command, ["mica"])
    }

    @Test(arguments: ["mica.1", "micafs.1", "mount.mica.8", "mica-registries.conf.5"])
    func `are of this version`(name: String) throws {
        let version = try Tool.run(Tool.binaries.appendingPathComponent("mica"), ["--version"])
        try #expect(page(name).contains(".Os \"mica \(version.dropLast())\""))
    }

    /// The names in mdoc's `.It Cm uid Ns = Ns Ar n , Cm gid`, and in `.It Cm ro , rw`.
    private func mountOptions(ofPage lines: [Substring]) -> Set<String> {
        let section = lines.drop { $0 != ".Sh MOUNT OPTIONS" }.dropFirst().prefix { !$0.hasPrefix(".Sh") }
        var options: Set<String> = []
        for line in section where line.hasPrefix(".It Cm ") {
            for item in line.dropFirst(".It Cm ".count).split(separator: " , ") {
                let words = item.split(separator: " ")
                options.insert(String(words[words[0] == "Cm" ? 1 : 0]))
            }
        }
        return options
    }

    @Test func `micafs(1) has every option that --help names, and no other`() throws {
        let page = try page("micafs.1")
        let help = try help("micafs", [])
        #expect(options(ofPage: page) == options(ofHelp: help))
        // `-o a=N, b  what they do; c=N too`
        var named: Set<Substring> = []
        for line in help.split(separator: "\n") where line.hasPrefix("  -") {
            guard let start = line.range(of: "-o ")?.upperBound else { continue }
            let parts = line[start...].split(separator: "  ", maxSplits: 1)
            for option in parts[0].split(separator: ", ") {
                named.insert(option.prefix { $0 != "=" && $0 != " " })
            }
            for word in parts.dropFirst().joined().split(separator: " ") where word.contains("=") {
                let name = word.prefix { $0 != "=" }
                if name.allSatisfy({ $0.isLetter || $0 == "_" }) { named.insert(name) }
            }
        }
        #expect(mountOptions(ofPage: page) == Set(named.map(String.init)))
    }

    @Test func `mount.mica(8) has every option that the program takes, and no other`() throws {
        let page = try page("mount.mica.8")
        let script = try String(
            contentsOf: Tool.package.appendingPathComponent("mount-helpers/mount.mica"),
            encoding: .utf8
        ).split(separator: "\n").map { $0.drop { $0 == " " } }
        let letters = try #require(script.first { $0.hasPrefix("while getopts ") }).split(separator: " ")[2]
        #expect(options(ofPage: page) == Set(letters.filter(\.isLetter).map { "-\($0)" }))
        // The patterns of `case $option in`, up to those that are for others.
        let patterns = script.drop { !$0.hasPrefix("for option in ") }.prefix { !$0.contains("defaults") }
        var taken: Set<String> = []
        for line in patterns {
            guard let end = line.firstIndex(of: ")"), line.first != "#" else { continue }
            for pattern in line[..<end].split(separator: " | ") {
                taken.insert(String(pattern.prefix { $0 != "=" }))
            }
        }
        #expect(mountOptions(ofPage: page) == taken)
    }
}
