import Linux

/// The limits of a container. nil: none, except for processes.
package struct Resources: Codable, Sendable, Equatable {
    /// In bytes, without swap, of which it gets as much again, as in docker.
    package var memory: UInt64?
    /// Thousandths of a CPU: 1500 is one and a half.
    package var milliCPUs: UInt64?
    /// Processes and threads at a time; 0: no limit. nil: `usualProcesses`, where the machine can limit them.
    package var processes: UInt64?

    /// podman's default.
    package static let usualProcesses: UInt64 = 2048
    /// docker's minimum: with less, the program that enters the container could not start.
    package static let leastMemory: UInt64 = 6 << 20
    /// The minimum of cpu.max and cfs_quota_us is 1 ms in a period of 100 ms.
    package static let leastMilliCPUs: UInt64 = 10

    package init(memory: UInt64? = nil, milliCPUs: UInt64? = nil, processes: UInt64? = nil) {
        self.memory = memory
        self.milliCPUs = milliCPUs
        self.processes = processes
    }

    /// `512m`, `1g`, `1.5G`, `4096`: bytes in units of 1024, as docker takes them.
    package static func memory(parsing text: String) throws -> UInt64 {
        var digits = text.lowercased()
        if digits.hasSuffix("b") { digits.removeLast() }
        let units: [Character: Double] = ["k": 0x1p10, "m": 0x1p20, "g": 0x1p30, "t": 0x1p40]
        var unit = 1.0
        if let last = digits.last, let factor = units[last] {
            unit = factor
            digits.removeLast()
        }
        guard let number = plain(digits), number * unit < 0x1p62 else {
            throw Failure(
                "not an amount of memory: \(text)",
                advice: "Expected a number of bytes, or 512m, 2g."
            )
        }
        let bytes = UInt64(number * unit)
        guard bytes >= leastMemory else {
            throw Failure("\(text) of memory are too little for a container", advice: "Give it 6m at least.")
        }
        return bytes
    }

    /// `1.5`.
    package static func milliCPUs(parsing text: String) throws -> UInt64 {
        guard let number = plain(text), number < 1e6, UInt64(number * 1000) >= leastMilliCPUs else {
            throw Failure(
                "not a number of CPUs: \(text)",
                advice: "Expected a number such as 1.5, 0.01 at least."
            )
        }
        return UInt64(number * 1000)
    }

    /// -1 and 0 mean no limit, as in docker.
    package static func processes(parsing text: String) throws -> UInt64 {
        guard let number = Int64(text), number >= -1 else {
            throw Failure("not a number of processes: \(text)", advice: "Expected a number; -1 is no limit.")
        }
        return UInt64(max(number, 0))
    }

    /// Digits and a point: no signs, exponents or infinities.
    private static func plain(_ text: String) -> Double? {
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == 0x2e }) else { return nil }
        return Double(text)
    }
}
