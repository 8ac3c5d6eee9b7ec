import Linux
import Runner
import Testing

@Suite(.timeLimit(.minutes(40))) struct `Limits of a log` {
    @Test(arguments: [
        (["max-size=10m", "max-file=5"], LogLimits(size: 10 << 20, files: 5)),
        (["max-size=64K"], LogLimits(size: 64 << 10, files: 3)),
        (["max-size=4096"], LogLimits(size: 4096, files: 3)),
        (["max-size=1g", "max-size=2GB"], LogLimits(size: 2 << 30, files: 3)),
        ([], .standard),
    ]) func `are docker's options`(_ options: [String], _ expected: LogLimits) throws {
        try #expect(LogLimits(parsing: options) == expected)
    }

    @Test(arguments: [
        "max-size", "max-size=", "max-size=0", "max-size=4095", "max-size=-1", "max-size=1t", "max-size=k",
        "max-size=9999999999999999999", "max-size=9223372036854775807g", "max-file=0", "max-file=101",
        "max-file=x",
        "compress=true", "",
    ]) func `refuse what they do not know, and say so`(_ option: String) throws {
        let failure = try #require(throws: Failure.self) { try LogLimits(parsing: [option]) }
        #expect(failure.advice != nil)
    }
}
