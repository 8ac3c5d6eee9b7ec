import OCI
import Testing

@Suite(.timeLimit(.minutes(40))) struct `RFC 3339 time` {
    @Test(arguments: [
        ("1970-01-01T00:00:00Z", Int64(0)), ("2026-11-21T02:03:25Z", 1_795_226_605),
        ("2000-02-29T23:59:59.123456789Z", 951_868_799), ("2026-01-01T01:00:00+01:00", 1_767_225_600),
        ("0001-01-01T00:00:00Z", -62_135_596_800), ("1969-12-31T23:59:59Z", -1),
    ])
    func `is read and written`(text: String, seconds: Int64) {
        #expect(Timestamp.seconds(text) == seconds)
        #expect(Timestamp.seconds(Timestamp.text(seconds)) == seconds)
    }

    @Test(arguments: [
        "", "2026", "2026-13-01T00:00:00Z", "2026-01-01T00:00:00", "2026-01-01T00:00:00+1:00",
        "x026-01-01T00:00:00Z",
    ])
    func `that is none is nil`(text: String) { #expect(Timestamp.seconds(text) == nil) }

    @Test func `beyond year 9999 stays there`() {
        #expect(Timestamp.text(Int64.max) == "9999-12-31T23:59:59Z")
        #expect(Timestamp.text(Int64.min) == "0000-01-01T00:00:00Z")
    }
}
