import Linux

/// How much of a container's output is kept: the newest, in files that are filled one after the other.
package struct LogLimits: Codable, Sendable, Equatable {
    /// The size of a file in bytes.
    package var size: Int
    package var files: Int

    package static let smallest = 4096
    package static let mostFiles = 100
    /// 30 MiB, which lasts a talkative service a few days.
    package static let standard = LogLimits(size: 10 << 20, files: 3)

    package init(size: Int, files: Int) {
        self.size = size
        self.files = files
    }

    /// docker's `--log-opt`: `max-size=10m` and `max-file=3`; the last of each counts.
    package init(parsing options: [String]) throws {
        self = .standard
        for option in options {
            let parts = option.split(separator: "=", maxSplits: 1).map(String.init)
            switch parts.first {
            case "max-size" where parts.count == 2: size = try LogLimits.size(parts[1])
            case "max-file" where parts.count == 2:
                guard let files = Int(parts[1]), (1...LogLimits.mostFiles).contains(files) else {
                    throw Failure(
                        "max-file=\(parts[1]) is not a number of log files",
                        advice: "Expected 1 to \(LogLimits.mostFiles).",
                        kind: .invalidArgument
                    )
                }
                self.files = files
            default:
                throw Failure(
                    "unknown log option: \(option)",
                    advice: "Expected max-size=SIZE or max-file=NUMBER.",
                    kind: .invalidArgument
                )
            }
        }
    }

    /// In bytes, or with k, m or g (and perhaps b) in KiB, MiB or GiB.
    private static func size(_ text: String) throws -> Int {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let units = ["": 0, "b": 0, "k": 10, "kb": 10, "m": 20, "mb": 20, "g": 30, "gb": 30]
        guard let number = Int(digits), let shift = units[text.dropFirst(digits.count).lowercased()],
            case let (size, overflow) = number.multipliedReportingOverflow(by: 1 << shift), !overflow,
            size >= smallest
        else {
            throw Failure(
                "max-size=\(text) is not a size for log files",
                advice: "Expected bytes or a number with k, m or g behind it, \(smallest >> 10)k at least.",
                kind: .invalidArgument
            )
        }
        return size
    }
}
