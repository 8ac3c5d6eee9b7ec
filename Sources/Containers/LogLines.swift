import Runner

/// Finds the lines in the records of a log. The streams are separate: a line begun on one of them continues after
/// output of the other.
package struct LogLines: Sendable {
    /// The part of a line that is in one record.
    package struct Piece: Sendable, Equatable {
        /// Counted from 0 in the order in which lines begin.
        package var number: Int
        package var begins: Bool
        package var bytes: ArraySlice<UInt8>
    }

    /// The number of lines that have begun.
    package private(set) var count = 0
    /// The line that a stream is in the middle of.
    private var output: Int?
    private var error: Int?

    package init() {}

    package mutating func forEach(in record: LogRecord, _ body: (Piece) throws -> Void) rethrows {
        var open = record.stream == .output ? output : error
        var rest = record.bytes[...]
        while !rest.isEmpty {
            let end = rest.firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? rest.endIndex
            let number = open ?? count
            if open == nil { count += 1 }
            let isBeginning = open == nil
            open = rest[end - 1] == UInt8(ascii: "\n") ? nil : number
            try body(Piece(number: number, begins: isBeginning, bytes: rest[..<end]))
            rest = rest[end...]
        }
        if record.stream == .output { output = open } else { error = open }
    }
}
