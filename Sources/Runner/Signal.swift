import Linux

/// A signal by number; parsed from `TERM`, `SIGTERM`, `15` or `RTMIN+3`.
package struct Signal: RawRepresentable, Hashable, Sendable {
    package let rawValue: Int32
    package init(rawValue: Int32) { self.rawValue = rawValue }

    package static let kill = Signal(rawValue: 9)
    package static let terminate = Signal(rawValue: 15)

    package init(parsing text: String) throws {
        var name = text.uppercased()
        if name.hasPrefix("SIG") { name.removeFirst(3) }
        if let number = Int32(name), (1...64).contains(number) {
            rawValue = number
        } else if let number = Signal.names[name] {
            rawValue = number
        } else if name.hasPrefix("RTMIN+"), let offset = Int32(name.dropFirst(6)), (0...30).contains(offset) {
            // glibc keeps the first two of the kernel's real-time signals (32 and 33) for itself.
            rawValue = 34 + offset
        } else {
            throw Failure(
                "no such signal: \(text)",
                advice: "Expected a name such as TERM or a number, 1 to 64."
            )
        }
    }

    private static let names: [String: Int32] = [
        "HUP": 1, "INT": 2, "QUIT": 3, "ILL": 4, "TRAP": 5, "ABRT": 6, "IOT": 6, "BUS": 7, "FPE": 8,
        "KILL": 9,
        "USR1": 10, "SEGV": 11, "USR2": 12, "PIPE": 13, "ALRM": 14, "TERM": 15, "STKFLT": 16, "CHLD": 17,
        "CONT": 18, "STOP": 19, "TSTP": 20, "TTIN": 21, "TTOU": 22, "URG": 23, "XCPU": 24, "XFSZ": 25,
        "VTALRM": 26, "PROF": 27, "WINCH": 28, "IO": 29, "POLL": 29, "PWR": 30, "SYS": 31, "RTMIN": 34,
        "RTMAX": 64,
    ]
}
