import Linux

/// One compressed format, so that a faster implementation can be put in: bytes in, bytes out, no I/O.
protocol Inflating: AnyObject {
    /// Decompresses from the front of `input` into `output`; both counts are 0 at once only when more input is
    /// needed. Throws a `CodecError` where the data is damaged.
    func inflate(
        _ input: UnsafeRawBufferPointer,
        into output: UnsafeMutableRawBufferPointer
    ) throws(CodecError) -> (consumed: Int, produced: Int)

    /// Whether the data may end here: between two members or frames.
    var isComplete: Bool { get }
}

/// Why compressed data can't be decompressed.
struct CodecError: Error {
    let reason: String
    init(_ reason: String) { self.reason = reason }
}
