import Linux

extension ConfigChange.Instruction {
    /// `[--interval=30s …] CMD command`, or `NONE`.
    func healthcheck() throws -> ImageConfig.Healthcheck {
        var result = ImageConfig.Healthcheck(test: [])
        var (word, rest) = self.rest.firstWord
        while word.hasPrefix("--") {
            guard let equals = word.firstIndex(of: "=") else { throw failure("\(word) wants a value") }
            let value = word[word.index(after: equals)...]
            switch word[..<equals] {
            case "--interval": result.interval = try nanoseconds(value)
            case "--timeout": result.timeout = try nanoseconds(value)
            case "--start-period": result.startPeriod = try nanoseconds(value)
            case "--start-interval": result.startInterval = try nanoseconds(value)
            case "--retries":
                guard let retries = Int(value), (0...Int(Int32.max)).contains(retries) else {
                    throw failure("\"\(value)\" is not a number of retries")
                }
                result.retries = retries
            default: throw failure("unknown option \(word[..<equals])")
            }
            (word, rest) = rest.firstWord
        }
        switch word.uppercased() {
        case "NONE":
            guard rest.isEmpty else { throw failure("nothing comes after NONE") }
            return ImageConfig.Healthcheck(test: ["NONE"])
        case "CMD":
            guard !rest.isEmpty else { throw failure("a command comes after CMD") }
            if let list = try list(rest) {
                guard !list.isEmpty else { throw failure("a command comes after CMD") }
                result.test = ["CMD"] + list
            } else {
                result.test = ["CMD-SHELL", String(rest)]
            }
            return result
        default: throw failure("expected CMD or NONE")
        }
    }

    /// `1m30s`, `1.5h`, `500ms`. Docker accepts nothing between 0 and a millisecond.
    private func nanoseconds(_ text: Substring) throws -> Int64 {
        let invalid = failure("\"\(text)\" is not a duration: expected one like 1m30s")
        if text == "0" { return 0 }
        var rest = text
        var sum: Double = 0
        guard !rest.isEmpty else { throw invalid }
        while !rest.isEmpty {
            let number = rest.prefix { ("0"..."9").contains($0) || $0 == "." }
            rest = rest.dropFirst(number.count)
            let unit = rest.prefix { !(("0"..."9").contains($0) || $0 == ".") }
            rest = rest.dropFirst(unit.count)
            let units: [Substring: Double] = [
                "ns": 1, "us": 1e3, "µs": 1e3, "μs": 1e3, "ms": 1e6, "s": 1e9, "m": 60e9, "h": 3600e9,
            ]
            guard let value = Double(number), let factor = units[unit] else { throw invalid }
            sum += value * factor
        }
        guard sum == 0 || (1e6..<9e18).contains(sum) else { throw invalid }
        return Int64(sum)
    }
}
