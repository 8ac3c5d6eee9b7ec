import CCodecs
import Linux

/// zstd, by libzstd: any number of frames, including skippable ones.
final class ZstdStream: Inflating {
    private let context: OpaquePointer
    private var isBetweenFrames = false
    private var hasBegun = false

    /// log2 of the largest window: 128 MiB, the default limit of `zstd -d`. It bounds what a hostile frame can make
    /// mica allocate.
    private static let windowLogMax: CInt = 27

    init() throws(CodecError) {
        guard let context = ZSTD_createDCtx() else { throw CodecError("zstd has no memory") }
        self.context = context
        ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, Self.windowLogMax)
    }

    deinit { ZSTD_freeDCtx(context) }

    var isComplete: Bool { isBetweenFrames }

    func inflate(
        _ input: UnsafeRawBufferPointer,
        into output: UnsafeMutableRawBufferPointer
    ) throws(CodecError) -> (consumed: Int, produced: Int) {
        guard !input.isEmpty || hasBegun && !isBetweenFrames else { return (0, 0) }
        var from = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
        var to = ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
        let result = ZSTD_decompressStream(context, &to, &from)
        guard ZSTD_isError(result) == 0 else {
            throw CodecError("its zstd data is damaged: \(String(cString: ZSTD_getErrorName(result)))")
        }
        hasBegun = true
        isBetweenFrames = result == 0
        return (from.pos, to.pos)
    }
}
