import Containerd
import Linux
import Snapshots
import Testing

@Suite(.timeLimit(.minutes(40)))
struct `containerd's filters` {
    private let info = SnapshotInfo(
        name: "default/7/sha256:abc",
        parent: "default/3/base",
        kind: .committed,
        labels: ["containerd.io/snapshot.ref": "sha256:abc", "plain": "a,b \"c\"", "empty": ""]
    )

    private func holds(_ texts: String...) throws -> Bool { try SnapshotFilter(texts).isMet(by: info) }

    @Test(arguments: [
        "", "name", "kind==committed", "kind!=active", "name==\"default/7/sha256:abc\"",
        "name==default/7/sha256:abc",
        // As containerd asks for what it was told is there already.
        "labels.\"containerd.io/snapshot.ref\"==sha256:abc,parent==\"default/3/base\"",
        "labels.plain", "labels.empty", "labels.absent!=x", "labels.absent~=^$",
        "labels.plain==\"a,b \\\"c\\\"\"",
        "name~=/^default\\/7/", "name~=|sha256:[a-c]+$|", "name~=sha", "name == default/7/sha256:abc",
        "labels.empty==\"\"", "name~=\"\\x64efault\"", "name!=\"\\u00e4\"", "\"name\"",
        "labels.plain~=\"\\142\"",
    ])
    func `are met by a snapshot that is as they say`(text: String) throws { #expect(try holds(text)) }

    @Test(arguments: [
        "labels.absent", "nothing", "labels", "kind==view", "kind==committed,kind==view",
        "parent!=default/3/base",
        "labels.absent==\"\"", "name~=^7", "labels.plain.more",
    ])
    func `are not met by another one`(text: String) throws { #expect(try !holds(text)) }

    @Test func `are met where any of several is, and where there is none`() throws {
        #expect(try holds("kind==view", "kind==committed"))
        #expect(try !holds("kind==view", "kind==active"))
        #expect(try holds())
    }

    @Test(arguments: [
        "==x", "name==", "name=x", "name===x", "name==a,", ",name", "name.", "name==\"open", "name kind",
        "name==a b",
        "name==/a/", "/name/==a", "name==\"\\q\"", "name==\"\\xg0\"", "name==\"\\777\"", "name==\"\\ud800\"",
        "name\0==a", "name~=\"(\"", "na me==a", "name==\"\\x+1\"", "name==\"\\\"", "name~=\"\\xff\"",
        "name==\u{fffd}",
    ])
    func `are refused where they are none`(text: String) throws {
        let failure = try #require(throws: Failure.self) { try SnapshotFilter([text]) }
        #expect(failure.kind == .invalidArgument)
    }

    @Test func `are refused where they are endless`() {
        #expect(throws: Failure.self) { try SnapshotFilter([String(repeating: "name,", count: 100_000)]) }
    }

    @Test(arguments: [
        String(repeating: "[", count: 2000), String(repeating: "(", count: 65),
        String(repeating: "a", count: 1025),
        "(a+)+$", "(?:a|a)*$", "(a*){9}$", "(a+)(?#c)+$", "(?x)(a+) +$", "(a+)\\Q\\E+$", "a*a*a*a*a*$",
        "a?a?a?a?a?aaaaa",
    ])
    func `are refused where their expression could take for ever`(expression: String) throws {
        let failure = try #require(throws: Failure.self) {
            try SnapshotFilter(["name~=\"\(expression.replacing("\\", with: "\\\\"))\""])
        }
        #expect(failure.kind == .invalidArgument)
        #expect(failure.message.contains("for ever"))
    }

    @Test func `have groups, classes and quantifiers in their expressions`() throws {
        #expect(try holds("name~=\"^(default|other)/[0-9]+/(?:sha256:)?[a-c]*$\""))
        #expect(try holds("name~=\"(?i)DEFAULT/\\\\d\""))
        #expect(try !holds("name~=\"^a\\\\(\\\\)\\\\+\\\\*\\\\?\\\\{$\""))
    }

    @Test func `of any bytes end, and do not trap`() {
        var state: UInt64 = 88_172_645_463_325_252
        let alphabet = Array("name.labels==!=~=\"/|\\x0u,. \0\n\u{e9}{[(*+?".unicodeScalars)
        for _ in 0..<20_000 {
            var text = String.UnicodeScalarView()
            for _ in 0..<(state % 24) {
                state ^= state << 13
                state ^= state >> 7
                state ^= state << 17
                text.append(alphabet[Int(state % UInt64(alphabet.count))])
            }
            state = state &* 6_364_136_223_846_793_005 &+ 1
            _ = try? SnapshotFilter([String(text)])
        }
    }
}
