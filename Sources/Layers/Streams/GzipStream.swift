import CCodecs
import Linux

/// gzip: any number of members, zeros behind the last one.
final class GzipStream: Inflating {
    private let stream: OpaquePointer

    private enum State { case member, between, padding }
    private var state = State.between
    private var isFirst = true

    init() throws(CodecError) {
        guard let stream = ccodecs_inflate_create() else { throw CodecError("there is no memory") }
        self.stream = stream
    }

    deinit { ccodecs_inflate_destroy(stream) }

    var isComplete: Bool { state != .member && !isFirst }

    func inflate(
        _ input: UnsafeRawBufferPointer,
        into output: UnsafeMutableRawBufferPointer
    ) throws(CodecError) -> (consumed: Int, produced: Int) {
        // Inside a member there may be output left without any more input.
        guard state == .member || !input.isEmpty, let target = output.baseAddress else { return (0, 0) }
        if state == .between, !isFirst, input.first == 0 { state = .padding }
        if state == .padding {
            // Tapes and some registries pad with zeros; gzip(1) lets them pass, too.
            guard input.allSatisfy({ $0 == 0 }) else {
                throw CodecError("something else follows the gzip data")
            }
            return (input.count, 0)
        }
        if state == .between {
            guard input.first == 0x1f else { throw CodecError("something else follows the gzip data") }
            ccodecs_inflate_reset(stream)
            state = .member
            isFirst = false
        }
        var consumed = input.count
        var produced = output.count
        var isEnd: CInt = 0
        let reason = ccodecs_inflate_some(
            stream,
            input.baseAddress?.assumingMemoryBound(to: UInt8.self),
            &consumed,
            target.assumingMemoryBound(to: UInt8.self),
            &produced,
            &isEnd
        )
        if let reason { throw CodecError("its gzip data is damaged: \(String(cString: reason))") }
        if isEnd != 0 { state = .between }
        return (consumed, produced)
    }
}
