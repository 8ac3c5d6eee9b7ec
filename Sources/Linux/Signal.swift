/// A signal by number; parsed from `TERM`, `SIGTERM`, `15`, `RTMIN+3` or `RTMAX-4`.
package struct Signal: RawRepresentable, Hashable, Sendable {
    package let rawValue: Int32
    package init(rawValue: Int32) { self.rawValue = rawValue }

    package static let kill = Signal(rawValue: 9)
    package static let goOn = Signal(rawValue: 18)
    package static let terminate = Signal(rawValue: 15)

    package init(parsing text: String) throws {
        var name = text.uppercased()
        if name.hasPrefix("SIG") { name.removeFirst(3) }
        if let number = Int32(name), (1...64).contains(number) {
            rawValue = number
        } else if let number = Signal.names[name] {
            rawValue = number
        } else if let offset = Signal.offset(name, behind: "RTMIN+") {
            rawValue = Signal.firstRealTime + offset
        } else if let offset = Signal.offset(name, behind: "RTMAX-") {
            rawValue = Signal.lastRealTime - offset
        } else {
            throw Failure(
                "no such signal: \(text)",
                advice: "Expected a name such as TERM or RTMIN+3, or a number, 1 to 64."
            )
        }
    }

    // glibc reserves the first two real-time signals of the kernel (32 and 33).
    private static let firstRealTime: Int32 = 34
    private static let lastRealTime: Int32 = 64

    private static func offset(_ name: String, behind prefix: String) -> Int32? {
        guard name.hasPrefix(prefix) else { return nil }
        let digits = name.dropFirst(prefix.count)
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let offset = Int32(digits),
            offset <= lastRealTime - firstRealTime
        else { return nil }
        return offset
    }

    private static let names: [String: Int32] = [
        "HUP": 1, "INT": 2, "QUIT": 3, "ILL": 4, "TRAP": 5, "ABRT": 6, "IOT": 6, "BUS": 7, "FPE": 8,
        "KILL": 9,
        "USR1": 10, "SEGV": 11, "USR2": 12, "PIPE": 13, "ALRM": 14, "TERM": 15, "STKFLT": 16, "CHLD": 17,
        "CONT": 18, "STOP": 19, "TSTP": 20, "TTIN": 21, "TTOU": 22, "URG": 23, "XCPU": 24, "XFSZ": 25,
        "VTALRM": 26, "PROF": 27, "WINCH": 28, "IO": 29, "POLL": 29, "PWR": 30, "SYS": 31,
        "RTMIN": firstRealTime,
        "RTMAX": lastRealTime,
    ]
}
