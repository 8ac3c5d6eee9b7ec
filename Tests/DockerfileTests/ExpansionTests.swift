import Dockerfile
import Testing

@Suite(.timeLimit(.minutes(40))) struct `Expansion of a word` {
    private let environment = [
        "A=1", "E=", "P=/usr/lib/x.tar.gz", "N=", "S=a  b", "Q=x*y?z", "L=one\ntwo", "U=ñandú",
    ]

    @Test(arguments: [
        ("$A ${A} $A$A x${A}y", "1 1 11 x1y"), ("$NO.${NO}", "."), ("$ $. a$", "$ $. a$"),
        (#"\$A '$A'"#, "$A $A"),
        (#""$A" "\$A" "a\b" "\"""#, #"1 $A a\b ""#), (#"a\ b\"#, "a b"), ("$1$@$A", "1"), ("$U_", ""),
    ])
    func `puts values in the place of names`(text: String, value: String) throws {
        #expect(try expand(text, environment) == value)
    }

    @Test(arguments: [
        ("${NO:-d}${E:-d}${A:-d}", "dd1"), ("${NO-d}${E-d}${A-d}", "d1"),
        ("${NO:+y}${E:+y}${A:+y}", "y"), ("${NO+y}${E+y}${A+y}", "yy"), ("${A:?x}${E?x}", "1"),
        ("${NO:-${E:-${A}}}", "1"), ("${NO:-'}'\"}\"\\}}", "}}}"), ("${NO:-$A-\"x y\"}", "1-x y"),
        ("${A:+${NO:-q}}", "q"), ("${NO:-}", ""), ("\"${NO:-\"a\"}\"", "a"),
    ])
    func `has words for what is not set, or empty, or set`(text: String, value: String) throws {
        #expect(try expand(text, environment) == value)
    }

    @Test(arguments: [
        ("${P#*/}", "usr/lib/x.tar.gz"), ("${P##*/}", "x.tar.gz"), ("${P%.*}", "/usr/lib/x.tar"),
        ("${P%%.*}", "/usr/lib/x"), ("${P#/usr}", "/lib/x.tar.gz"), ("${P#lib}", "/usr/lib/x.tar.gz"),
        ("${P%.?z}", "/usr/lib/x.tar"), ("${P#?}", "usr/lib/x.tar.gz"), ("${P##*}", ""), ("${P%%*}", ""),
        ("${P#}", "/usr/lib/x.tar.gz"), ("${Q#x\\*}", "y?z"), ("${Q%\\?z}", "x*y"), ("${Q#x?y\\?}", "z"),
        ("${NO#x}", ""), ("${P%$A}", "/usr/lib/x.tar.gz"), ("${L#*e}", "\ntwo"), ("${L##*}", "\ntwo"),
        ("${U%ú}${U#?}", "ñandandú"), ("${U%%n*}", "ña"),
    ])
    func `takes patterns from the beginning and the end`(text: String, value: String) throws {
        #expect(try expand(text, environment) == value)
    }

    @Test(arguments: [
        ("${P/lib/bin}", "/usr/bin/x.tar.gz"), ("${P/\\//_}", "_usr/lib/x.tar.gz"),
        ("${P//\\//_}", "_usr_lib_x.tar.gz"), ("${P//[a]/_}", "/usr/lib/x.tar.gz"),
        ("${P/r*a/-}", "/us-r.gz"),
        ("${P//?/y}", "yyyyyyyyyyyyyyyyy"), ("${P/x.tar.gz/}", "/usr/lib/"), ("${E/*/a}", "a"),
        ("${A//*/b}", "b"),
        ("${A//$NO/-}", "-1-"), ("${A/$NO/-}", "-1"), ("${Q/\\*/$A}", "x1y?z"), ("${NO/a/b}", ""),
        ("${S// /}", "ab"), ("${A/1/\\$1}", "\\$1"),
    ])
    func `replaces one match, or all`(text: String, value: String) throws {
        #expect(try expand(text, environment) == value)
    }

    @Test(arguments: [
        ("${A", "syntax error: missing '}'"), ("${", "syntax error: missing '}'"),
        ("${}", "syntax error: bad substitution"), ("${{A}}", "syntax error: bad substitution"),
        ("${:A}", "syntax error: bad substitution"), ("${A:=b}", "unsupported modifier (:=) in substitution"),
        ("${A=b}", "unsupported modifier (=) in substitution"),
        ("${A:#b}", "unsupported modifier (:#) in substitution"),
        ("${A^}", "unsupported modifier (^) in substitution"), ("${NO:?}", "NO: is not allowed to be unset"),
        ("${E:?}", "E: is not allowed to be empty"), ("${NO?give $A}", "NO: give 1"),
        ("${A:+${NO?x}}", "NO: x"), ("${A/b}", "syntax error: missing '/' in ${}"),
        ("${A/b/c", "syntax error: missing '}'"),
        ("'a", "unexpected end of statement while looking for matching single-quote"),
        ("\"a", "unexpected end of statement while looking for matching double-quote"),
        (
            "${A#\\b}",
            "invalid pattern (\\b) in substitution: a \\ stands before *, ?, \\, } and / only"
        ),
    ])
    func `says what is wrong`(text: String, message: String) {
        #expect(throws: DockerfileError("failed to process \"\(text)\": \(message)")) {
            try expand(text, environment)
        }
    }

    @Test func `has the escape of the Dockerfile`() throws {
        let variables = Variables(environment: ["A=1"])
        #expect(try Word("`$A \\$A \"`$A\" ``", escape: .backtick).expand(with: variables) == "$A \\1 $A `")
    }

    @Test func `splits at spaces, but not at those in quotes`() throws {
        let variables = Variables(environment: environment)
        #expect(
            try Word("a$S \"$S\" 'c d' \\ e \"\" x${S}y ${NO:-f g}").expandToWords(with: variables)
                == ["aa", "b", "a  b", "c d", " e", "xa", "by", "f", "g"]
        )
    }

    @Test func `has limits of depth, size and effort`() throws {
        let deep = String(repeating: "${NO:-", count: 5000) + String(repeating: "}", count: 5000)
        #expect(throws: DockerfileError.self) { try expand(deep, []) }
        let big = String(repeating: "x", count: 1 << 19)
        let message = #expect(throws: DockerfileError.self) { try expand("$B$B$B", ["B=\(big)"]) }
        #expect(message?.message.contains("expands to more than") == true)
        #expect(throws: DockerfileError.self) { try expand("\"$B$B$B\"", ["B=\(big)"]) }
        #expect(throws: DockerfileError.self) { try expand("${B//x/$B}", ["B=\(big)"]) }
        let stars = String(repeating: "*x", count: 2000)
        #expect(throws: DockerfileError.self) { try expand("${B//$S/}", ["B=\(big)", "S=\(stars)y"]) }
    }
}
