import Dockerfile
import Testing

@Suite(.timeLimit(.minutes(40))) struct `Patterns of .dockerignore` {
    private func exclude(_ path: String, _ patterns: [String]) throws -> Bool {
        let file = try IgnoreFile.patterns(
            Array(patterns.joined(separator: "\n").utf8),
            name: ".dockerignore"
        )
        let bytes = Array(path.utf8)
        // A walk judges as a path alone does.
        var standing: PathPatterns.Standing?
        for end in bytes.indices.filter({ bytes[$0] == UInt8(ascii: "/") }) + [bytes.count] {
            standing = file.judge(Array(bytes[..<end]), in: standing)
        }
        #expect(standing?.isExcluded == file.exclude(bytes), "\(path) by \(patterns)")
        return file.exclude(bytes)
    }

    @Test(arguments: [
        ("a", "a", true), ("a", "b", false), ("a", "a/b/c", true), ("a", "b/a", false), ("/a", "a", true),
        ("a/", "a", true), ("./a//b/../c", "a/c", true), ("*", "a/b", true), ("*/b", "a/b", true),
        ("*/b", "b", false),
        ("*.o", "a.o", true), ("*.o", "d/a.o", false), ("**/*.o", "d/e/a.o", true), ("**/*.o", "a.o", true),
        ("a/**", "a/b/c", true), ("a/**", "a", false), ("**", "a/b", true), ("a/**/b", "a/b", true),
        ("a/**/b", "a/x/y/b", true), ("a/**/b", "ab", false), ("a**b", "a/b", true), ("a**b", "ax/b", true),
        ("**b", "ab", true), ("**b", "x/ab", true), ("**/b", "xb", false), ("**/b", "x/b/c", true),
        ("?", "é", true),
        ("[a-c]x", "bx", true), ("[^a-c]x", "bx", false), ("[^a-c]x", "dx", true),
        ("a\\*b", "a*b", true), ("a\\*b", "axb", false), ("\\!a", "!a", true), ("# a", "# a", false),
        (" a ", "a", true), (" #a", "#a", true), ("a.b", "axb", false), ("a(b|c)+$", "a(b|c)+$", true),
        (".*", ".git", true), (".*", "a.b", false), ("*.*", "a.b", true), ("", "a", false), (".", "a", false),
        ("/", "a", false), ("../a", "a", false), ("**/a/**", "x/a/y", true), ("**/a/**", "x/a", false),
    ])
    func `name paths and all that is below them`(pattern: String, path: String, isExcluded: Bool) throws {
        #expect(try exclude(path, [pattern]) == isExcluded)
    }

    @Test(arguments: [
        (["a", "!a/b"], "a/b", false), (["a", "!a/b"], "a/b/c", false), (["a", "!a/b"], "a/c", true),
        (["!a/b", "a"], "a/b", true), (["*", "!*.md", "README*.md"], "x.md", false),
        (["*", "!*.md", "README*.md"], "READMEx.md", true), (["*", "!src", "src/*.o"], "src/a.o", true),
        (["*", "!src", "src/*.o"], "src/a.c", false), (["*.md", "! x.md"], "x.md", false),
        (["**", "!a/b", "a/b/c"], "a/b/c/d", true), (["**", "!a/b", "a/b/c"], "a/b/d", false),
        (["a/b", "!a", "a/c"], "a/b/x", true), (["!a"], "a", false),
    ])
    func `have exceptions, and the last one counts`(
        patterns: [String],
        path: String,
        isExcluded: Bool
    ) throws {
        #expect(try exclude(path, patterns) == isExcluded)
    }

    @Test(arguments: [
        (["a"], "a", true), (["a", "!a/b"], "a", false), (["a", "!b"], "a", true),
        (["a", "!*/c"], "a", false),
        (["a", "!**/c"], "a", false), (["a", "!*.c"], "a", true), (["*", "!x/y/z"], "x", false),
        (["*", "!x/y/z"], "x/y", false), (["*", "!x/y/z"], "x/z", true), (["*", "!x/**"], "x", false),
        (["a", "!a"], "a", false), (["!a"], "b", false), (["*", "!\\x/y"], "x", false),
    ])
    func `let a walk leave out a directory into which no exception leads`(
        patterns: [String],
        directory: String,
        canSkip: Bool
    ) throws {
        let patterns = try PathPatterns(patterns)
        let bytes = Array(directory.utf8)
        var standing: PathPatterns.Standing?
        for end in bytes.indices.filter({ bytes[$0] == UInt8(ascii: "/") }) + [bytes.count] {
            standing = patterns.judge(Array(bytes[..<end]), in: standing)
        }
        let last = try #require(standing)
        #expect(patterns.canSkip(bytes, last) == canSkip)
    }

    @Test func `are read with comments, empty lines, CR LF and a byte order mark`() throws {
        let text = "\u{feff}# x\r\n\r\n a \r\n!a/b\r\n#c"
        let patterns = try IgnoreFile.patterns(Array(text.utf8), name: "i")
        #expect(patterns.exclude(Array("a/c".utf8)) && !patterns.exclude(Array("a/b".utf8)))
        #expect(!patterns.exclude(Array("#c".utf8)) && patterns.hasExceptions)
        #expect(try IgnoreFile.patterns([], name: "i").isEmpty)
    }

    @Test(arguments: ["a\n!\n", "a\n[", "a\nb[]", "a\n[a-]", "a\nb\\", "a\n! "])
    func `are refused at their line`(text: String) {
        let error = #expect(throws: DockerfileError.self) {
            try IgnoreFile.patterns(Array(text.utf8), name: "i")
        }
        #expect(error?.description.hasPrefix("i:2: ") == true)
    }

    @Test func `match names that are no text`() throws {
        let patterns = try IgnoreFile.patterns([0xff, 0x2a, 0x0a, 0x3f, 0x78], name: "i")
        #expect(
            patterns.exclude([0xff, 0xfe]) && patterns.exclude([0x80, 0x78]) && !patterns.exclude([0xfe])
        )
    }

    @Test func `of one Dockerfile come before those of the context`() {
        #expect(IgnoreFile.names(besides: "d/Dockerfile") == ["d/Dockerfile.dockerignore", ".dockerignore"])
    }

    @Test func `take time that grows with the length of the path`() throws {
        let patterns = try PathPatterns([String(repeating: "*a", count: 1000) + "b"])
        #expect(!patterns.exclude(Array(repeating: UInt8(ascii: "a"), count: 2000)))
        let same = try PathPatterns([String(repeating: "**/", count: 20_000) + "a"])
        #expect(same.exclude(Array("x/a".utf8)) && !same.exclude(Array("x/b".utf8)))
        let deep = try PathPatterns([String(repeating: "**/a/", count: 200) + "b"])
        #expect(!deep.exclude(Array(String(repeating: "a/", count: 200).utf8) + Array("c".utf8)))
    }
}

@Suite(.timeLimit(.minutes(40))) struct `Wildcards of a source` {
    @Test(arguments: [
        ("*.c", "", "a.c", true), ("*.c", "", "d/a.c", false), ("/d/e/f?.c", "d/e", "f1.c", true),
        ("d/*/x", "d", "a/x", true), ("d/*/x", "d", "a/b/x", false), ("d/*", "d", "a", true),
        ("[a-c]*", "", "bx", true), ("[^a]", "", "a", false), ("a\\*/b*", "a\\*", "bc", true),
        ("**", "", "a", true),
        ("**", "", "a/b", false), ("../x*", "", "xy", true), ("[", "", "[", false),
        ("a[^b]c", "", "a/c", true),
    ])
    func `match as Go's filepath.Match does`(
        source: String,
        directory: String,
        path: String,
        isMatch: Bool
    ) throws {
        let wildcards = try #require(Wildcards(source))
        #expect(wildcards.directory == Array(directory.utf8))
        #expect(wildcards.match(Array(path.utf8)) == isMatch)
    }

    @Test func `are not in a plain path, nor behind an escape`() {
        #expect(Wildcards("a/b") == nil && Wildcards("a\\*b") == nil && Wildcards("") == nil)
    }

    @Test func `say where a walk has to look`() throws {
        let wildcards = try #require(Wildcards("d/a*/b/c?"))
        #expect(wildcards.mayMatch(below: Array("a1".utf8)) && wildcards.mayMatch(below: Array("a1/b".utf8)))
        #expect(!wildcards.mayMatch(below: Array("x".utf8)) && !wildcards.mayMatch(below: Array("a1/x".utf8)))
        #expect(!wildcards.mayMatch(below: Array("a1/b/cd".utf8)))
    }
}
