import CCodecs
import Linux

/// gzip, by zlib, for streams too large for `WholeGzip`: any number of members, zeros after the last one.
final class GzipStream: Inflating {
    private let stream: UnsafeMutablePointer<z_stream>
    /// 15 bits of window; 16 stands for gzip's header and checksum.
    private static let windowBits: CInt = 15 + 16

    private enum State { case member, between, padding }
    private var state = State.between
    private var isFirst = true

    init() throws(CodecError) {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        guard ccodecs_inflate_init(stream, Self.windowBits) == Z_OK else {
            stream.deallocate()
            throw CodecError("zlib has no memory")
        }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
    }

    var isComplete: Bool { state != .member && !isFirst }

    func inflate(
        _ input: UnsafeRawBufferPointer,
        into output: UnsafeMutableRawBufferPointer
    ) throws(CodecError) -> (consumed: Int, produced: Int) {
        // Inside a member zlib may have output left without more input.
        guard state == .member || !input.isEmpty else { return (0, 0) }
        if state == .between, !isFirst, input.first == 0 { state = .padding }
        if state == .padding {
            // Tapes and some registries pad with zeros, which gzip(1) accepts, too.
            guard input.allSatisfy({ $0 == 0 }) else {
                throw CodecError("something else follows the gzip data")
            }
            return (input.count, 0)
        }
        if state == .between {
            guard input.first == 0x1f else { throw CodecError("something else follows the gzip data") }
            inflateReset(stream)
            state = .member
            isFirst = false
        }
        // z_stream counts in 32 bits; the rest comes in the next call.
        let input = UnsafeRawBufferPointer(rebasing: input.prefix(1 << 30))
        let output = UnsafeMutableRawBufferPointer(rebasing: output.prefix(1 << 30))
        // next_in is not const in zlib's interface; inflate only reads.
        stream.pointee.next_in = UnsafeMutablePointer(
            mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self)
        )
        stream.pointee.avail_in = UInt32(input.count)
        stream.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.pointee.avail_out = UInt32(output.count)
        let result = CCodecs.inflate(stream, Z_NO_FLUSH)
        switch result {
        case Z_STREAM_END: state = .between
        case Z_OK, Z_BUF_ERROR: break
        case Z_MEM_ERROR: throw CodecError("zlib has no memory")
        default:
            let reason = stream.pointee.msg.map { String(cString: $0) } ?? "zlib error \(result)"
            throw CodecError("its gzip data is damaged: \(reason)")
        }
        return (input.count - Int(stream.pointee.avail_in), output.count - Int(stream.pointee.avail_out))
    }
}
