import NIOCore

/// Answers HTTP/2's pings where a connection begins, so that the HTTP/2 handler behind it hears of none.
///
/// gRPC in Go, and so containerd, measures a connection with a ping after each message that it gets. NIO's HTTP/2 handler
/// takes more than 200 pings in 30 seconds for an attack, which no configuration of gRPC's changes, and closes the
/// connection: with all requests on it, done or not, of which containerd then makes some again.
///
/// Where a peer does not read its answers, further pings go to that handler as ever, which counts them.
final class PingAnswers: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = ByteBuffer

    // RFC 9113, 4.1 and 6.7.
    private static let headerSize = 9
    private static let ping: UInt8 = 6
    private static let acknowledgement: UInt8 = 1
    private static let pingSize = 8
    private static let prefaceSize = 24

    /// Answers that wait to be sent: gRPC has one ping on its way at a time, but what is sent before it may be megabytes.
    private static let most = 1000

    /// How much of what comes is none of this handler's: of the frame that has begun.
    private var passing: Int
    /// The beginning of a frame that is not there whole.
    private var rest: ByteBuffer?
    private var hasAnswered = false
    /// Answers that are not sent yet.
    private var waiting = 0

    private init(after passing: Int) { self.passing = passing }

    /// For connections that clients make, which begin with a preface.
    static func served(_ channel: any Channel) -> EventLoopFuture<Void> {
        added(to: channel, after: prefaceSize)
    }

    /// For connections that this process makes.
    static func made(_ channel: any Channel) -> EventLoopFuture<Void> { added(to: channel, after: 0) }

    private static func added(to channel: any Channel, after passing: Int) -> EventLoopFuture<Void> {
        channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(PingAnswers(after: passing), position: .first)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if var whole = rest {
            rest = nil
            whole.writeBuffer(&bytes)
            bytes = whole
        }
        // What lies between two pings goes on in one piece.
        var end = 0
        func passOn() {
            guard end > 0, let piece = bytes.readSlice(length: end) else { return }
            end = 0
            context.fireChannelRead(wrapInboundOut(piece))
        }
        while end < bytes.readableBytes {
            guard passing == 0 else {
                let count = min(passing, bytes.readableBytes - end)
                (passing, end) = (passing - count, end + count)
                continue
            }
            guard let size = frameSize(in: bytes, at: end) else { break }
            guard isPing(bytes, at: end), size == Self.headerSize + Self.pingSize, waiting < Self.most else {
                passing = size
                continue
            }
            guard end + size <= bytes.readableBytes else { break }
            passOn()
            guard let frame = bytes.readSlice(length: size) else { break }
            answer(frame, context)
        }
        passOn()
        if bytes.readableBytes > 0 { rest = bytes }
    }

    /// The HTTP/2 handler comes first: what a flush lets it send has to find its own frames marked for that.
    func channelReadComplete(context: ChannelHandlerContext) {
        context.fireChannelReadComplete()
        guard hasAnswered else { return }
        hasAnswered = false
        context.flush()
    }

    /// With its header; nil where that is not there whole.
    private func frameSize(in bytes: ByteBuffer, at offset: Int) -> Int? {
        let start = bytes.readerIndex + offset
        guard offset + Self.headerSize <= bytes.readableBytes,
            let high: UInt8 = bytes.getInteger(at: start), let low: UInt16 = bytes.getInteger(at: start + 1)
        else { return nil }
        return Self.headerSize + Int(high) << 16 + Int(low)
    }

    /// Whether the frame asks to be answered. One that names a stream is an error, which is the HTTP/2 handler's to find.
    private func isPing(_ bytes: ByteBuffer, at offset: Int) -> Bool {
        let start = bytes.readerIndex + offset
        guard let type: UInt8 = bytes.getInteger(at: start + 3), type == Self.ping,
            let flags: UInt8 = bytes.getInteger(at: start + 4), flags & Self.acknowledgement == 0,
            let stream: UInt32 = bytes.getInteger(at: start + 5)
        else { return false }
        return stream & 0x7fff_ffff == 0
    }

    private func answer(_ ping: ByteBuffer, _ context: ChannelHandlerContext) {
        var answer = ping
        answer.setInteger(Self.acknowledgement, at: answer.readerIndex + 4)
        let promise = context.eventLoop.makePromise(of: Void.self)
        waiting += 1
        promise.futureResult.assumeIsolated().whenComplete { _ in self.waiting -= 1 }
        context.write(wrapOutboundOut(answer), promise: promise)
        hasAnswered = true
    }
}
