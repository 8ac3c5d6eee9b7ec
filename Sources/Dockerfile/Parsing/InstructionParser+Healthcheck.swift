import OCI

extension InstructionParser {
    /// `[--interval=30s …] CMD command`, or `NONE`.
    func healthcheck() throws(DockerfileError) -> ImageConfig.Healthcheck {
        guard !line.rest.isEmpty else { throw atLeastOne }
        let flags = try Flags(
            line.flags,
            known: [
                "interval": .text, "timeout": .text, "start-period": .text, "start-interval": .text,
                "retries": .text,
            ]
        )
        var result = ImageConfig.Healthcheck(test: [])
        result.interval = try duration("interval", flags)
        result.timeout = try duration("timeout", flags)
        result.startPeriod = try duration("start-period", flags)
        result.startInterval = try duration("start-interval", flags)
        if let text = flags.text("retries"), !text.isEmpty {
            guard let retries = Int32(text), retries >= 0 else {
                throw DockerfileError("--retries: \"\(text)\" is not a number of retries")
            }
            result.retries = Int(retries)
        }
        let parts = line.rest.splitAtWhitespace()
        let rest = parts.count == 2 ? parts[1] : ""
        switch parts[0].uppercased() {
        case "NONE":
            guard rest.isEmpty else { throw DockerfileError("HEALTHCHECK NONE takes no arguments") }
            return ImageConfig.Healthcheck(test: ["NONE"])
        case "CMD":
            switch try commandLine(rest) {
            case .exec(let words) where !words.isEmpty: result.test = ["CMD"] + words
            case .shell(let text) where !text.isEmpty: result.test = ["CMD-SHELL", text]
            default: throw DockerfileError("Missing command after HEALTHCHECK CMD")
            }
            return result
        case let type: throw DockerfileError("Unknown type \"\(type)\" in HEALTHCHECK (try CMD)")
        }
    }

    /// In nanoseconds; nil where the flag is not given, or 0. Docker accepts nothing between 0 and a millisecond.
    private func duration(_ name: String, _ flags: Flags) throws(DockerfileError) -> Int64? {
        guard let text = flags.text(name), !text.isEmpty else { return nil }
        guard let duration = InstructionParser.nanoseconds(text) else {
            throw DockerfileError("--\(name): \"\(text)\" is not a duration: expected one like 1m30s")
        }
        guard duration != 0 else { return nil }
        guard duration >= 1_000_000 else {
            throw DockerfileError("Interval \"\(name)\" cannot be less than 1ms")
        }
        return duration
    }

    /// `1m30s`, `1.5h`, `500ms`, `0`.
    static func nanoseconds(_ text: String) -> Int64? {
        let units: [Substring: Double] = [
            "ns": 1, "us": 1e3, "µs": 1e3, "μs": 1e3, "ms": 1e6, "s": 1e9, "m": 60e9, "h": 3600e9,
        ]
        func isNumeric(_ character: Character) -> Bool {
            ("0"..."9").contains(character) || character == "."
        }
        var rest = text[...]
        let isNegative = rest.first == "-"
        if isNegative || rest.first == "+" { rest.removeFirst() }
        if rest == "0" { return 0 }
        guard !rest.isEmpty else { return nil }
        var sum: Double = 0
        while !rest.isEmpty {
            let number = rest.prefix(while: isNumeric)
            rest = rest.dropFirst(number.count)
            let unit = rest.prefix { !isNumeric($0) }
            rest = rest.dropFirst(unit.count)
            guard let value = Double(number), let factor = units[unit] else { return nil }
            sum += value * factor
        }
        guard sum < 9e18 else { return nil }
        return Int64(isNegative ? -sum : sum)
    }
}

extension String {
    /// The first word, and the rest where there is one.
    func splitAtWhitespace() -> [String] {
        let scalars = unicodeScalars
        guard let space = scalars.firstIndex(where: \.properties.isWhitespace) else { return [self] }
        return [String(scalars[..<space]), String(self[space...].trimmed)]
    }
}
