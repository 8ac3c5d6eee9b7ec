import Linux
import Testing

@Suite(.timeLimit(.minutes(40))) struct `A signal` {
    @Test(arguments: [
        ("TERM", 15), ("sigterm", 15), ("15", 15), ("SIGIOT", 6), ("RTMIN", 34), ("SIGRTMIN", 34),
        ("RTMIN+3", 37),
        ("SIGRTMIN+30", 64), ("RTMAX", 64), ("rtmax-0", 64), ("SIGRTMAX-14", 50), ("RTMAX-30", 34),
        ("64", 64),
    ])
    func `is known by its name and its number`(text: String, number: Int32) throws {
        #expect(try Signal(parsing: text).rawValue == number)
    }

    @Test(arguments: [
        "", "SIG", "0", "65", "-1", "NOPE", "RTMIN+31", "RTMAX-31", "RTMIN-1", "RTMAX+1", "RTMIN+",
        "RTMIN+-1", "RTMIN+ 1",
        "RTMIN+99999999999",
    ])
    func `that nobody has is refused`(text: String) {
        #expect(throws: Failure.self) { try Signal(parsing: text) }
    }
}
