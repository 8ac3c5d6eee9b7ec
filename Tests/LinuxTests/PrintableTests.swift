import Linux
import Testing

@Suite(.timeLimit(.minutes(40))) struct `Printable text` {
    @Test(arguments: [
        ("plain ä 漢 😀 \\", "plain ä 漢 😀 \\"),
        ("\u{1b}[31mred\u{7}", "\\x1b[31mred\\x07"),
        ("a\nb\tc\rd\0", "a\\nb\\tc\\rd\\x00"),
        // CSI in one character, DEL, and what turns the direction of writing.
        ("\u{9b}2J\u{7f}\u{202e}txt.exe\u{2066}\u{2028}", "\\x9b2J\\x7f\\u{202e}txt.exe\\u{2066}\\u{2028}"),
    ]) func `has nothing in it that a terminal obeys`(_ text: String, _ expected: String) {
        #expect(Printable.text(text) == expected)
        #expect(Printable.text(expected) == expected)
        #expect(Printable.bytes(Array(text.utf8)) == Array(expected.utf8))
    }

    @Test func `keeps its lines where they are meant`() {
        #expect(Printable.text("one\ntwo\u{1b}", lines: true) == "one\ntwo\\x1b")
    }

    @Test func `shows bytes that are not UTF-8`() {
        let bytes: [UInt8] = [0x61, 0xff, 0x80, 0xc3, 0xa4, 0xc3, 0x0a]
        #expect(Printable.bytes(bytes) == Array("a\\xff\\x80ä\\xc3\\n".utf8))
    }

    @Test func `is what a failure says, in a line each for message and advice`() {
        let failure = Failure("no \u{1b}]0;x\u{7}\nmica: all is well", advice: "Remove \u{1b}c.")
        #expect(failure.description == "no \\x1b]0;x\\x07\\nmica: all is well\nRemove \\x1bc.")
    }

    @Test func `of another process's failure is its message and its advice`() {
        let failure = Failure("cannot", advice: "Try again.")
        let told = Failure(described: failure.description, exitCode: 7)
        #expect(told.message == "cannot")
        #expect(told.advice == "Try again.")
        #expect(told.exitCode == 7)
        #expect(told.description == failure.description)
        #expect(Failure(described: "only this").advice == nil)
    }
}
