/// The lines of a Dockerfile with their ends, one after the other.
struct SourceLines {
    /// In bytes, with the end of the line: BuildKit's.
    static let longest = 65535

    private let bytes: ArraySlice<UInt8>
    private var position: Int
    /// Of the last line that `next` gave: 1 for the first one.
    private(set) var number = 0

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        position = bytes.startIndex
    }

    /// nil behind the last line.
    mutating func next() throws(DockerfileError) -> ArraySlice<UInt8>? {
        guard position < bytes.endIndex else { return nil }
        let end = bytes[position...].firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? bytes.endIndex
        defer { position = end }
        number += 1
        guard end - position <= SourceLines.longest else {
            throw DockerfileError(
                "dockerfile line greater than max allowed size of \(SourceLines.longest)",
                lines: number...number
            )
        }
        return bytes[position..<end]
    }
}

extension ArraySlice<UInt8> {
    var withoutLineEnd: ArraySlice<UInt8> {
        var rest = self
        while let last = rest.last, last == UInt8(ascii: "\n") || last == UInt8(ascii: "\r") {
            rest.removeLast()
        }
        return rest
    }

    /// Without the spaces that ASCII has.
    var withoutLeadingSpace: ArraySlice<UInt8> { drop { $0 == 0x20 || (0x09...0x0d).contains($0) } }

    var withoutLeadingTabs: ArraySlice<UInt8> { drop { $0 == UInt8(ascii: "\t") } }

    /// After spaces, a `#`.
    var isComment: Bool { withoutLeadingSpace.first == UInt8(ascii: "#") }
}

extension Substring {
    /// Without the spaces around it.
    var trimmed: Substring {
        let scalars = unicodeScalars
        let start = scalars.firstIndex { !$0.properties.isWhitespace } ?? scalars.endIndex
        let end = scalars.lastIndex { !$0.properties.isWhitespace }.map { scalars.index(after: $0) } ?? start
        return self[start..<Swift.max(start, end)]
    }
}

extension Unicode.Scalar {
    /// What ends a word of an instruction: a space of ASCII, but no line feed.
    var isBlank: Bool { self == " " || self == "\t" || self == "\u{b}" || self == "\u{c}" || self == "\r" }
}

extension String {
    /// The parts between runs of blanks, at most `limit` of them, the last one with all the rest.
    func splitAtBlanks(limit: Int = .max) -> [String] {
        var parts: [String] = []
        var rest = unicodeScalars[...]
        while parts.count + 1 < limit, let blank = rest.firstIndex(where: \.isBlank) {
            parts.append(String(rest[..<blank]))
            rest = rest[blank...].drop(while: \.isBlank)
        }
        return parts + [String(rest)]
    }
}

extension StringProtocol {
    /// What comes before and behind the first `=`; nil behind it where there is none.
    var cutAtEquals: (before: String, behind: String?) {
        guard let equals = unicodeScalars.firstIndex(of: "=") else { return (String(self), nil) }
        return (String(self[..<equals]), String(self[unicodeScalars.index(after: equals)...]))
    }
}
