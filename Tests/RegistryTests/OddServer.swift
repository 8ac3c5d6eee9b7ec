import Glibc
import Linux
import Synchronization
import SystemPackage

/// An HTTP server on loopback that answers as a test wants, right or wrong.
final class OddServer: Sendable {
    struct Request: Sendable {
        let method: String
        /// Without the query.
        let path: String
        let query: String
        /// By lower-case name.
        let headers: [String: String]
        var body: [UInt8] = []
    }

    struct Answer: Sendable {
        var status = 200
        var headers: [String: String] = [:]
        var body: [UInt8] = []
        /// What Content-Length says, where that is not so.
        var length: Int?
        /// Bytes of the body after which the connection is closed.
        var cut: Int?
        /// Nothing comes any more after the body, and the connection stays.
        var stalls = false
        /// The body comes again and again, without a length.
        var isEndless = false
        /// After this many bytes of the body comes nothing until `resumed` returns.
        var pause: Int?
        var resumed: (@Sendable () -> Void)?
        /// Instead of the status line, the headers and the empty line behind them.
        var head: String?
    }

    private let socket: CInt
    /// 127.0.0.1:PORT.
    let address: String
    private let answer: @Sendable (Request) -> Answer
    private let log = Mutex<[Request]>([])
    private let sent = Atomic(0)

    /// All requests so far.
    var requests: [Request] { log.withLock { $0 } }
    /// Bytes of bodies so far, with those that are being sent.
    var bytesSent: Int { sent.load(ordering: .sequentiallyConsistent) }

    init(_ answer: @escaping @Sendable (Request) -> Answer) throws {
        self.answer = answer
        signal(SIGPIPE, SIG_IGN)
        (socket, address) = try Loopback.listen()
        let socket = socket
        try WorkerThread { [weak self] in
            while true {
                let connection = accept(socket, nil, nil)
                guard connection >= 0 else { return }
                _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
                guard let self else {
                    close(connection)
                    return
                }
                guard let thread = try? WorkerThread({ self.serve(connection) }) else { continue }
                thread.detach()
            }
        }.detach()
    }

    deinit {
        shutdown(socket, CInt(SHUT_RDWR))
        close(socket)
    }

    private func serve(_ connection: CInt) {
        defer {
            // Whatever else has it open: what is over is over.
            shutdown(connection, CInt(SHUT_RDWR))
            close(connection)
        }
        var text: [UInt8] = []
        var byte: UInt8 = 0
        while !text.suffix(4).elementsEqual("\r\n\r\n".utf8) {
            guard read(connection, &byte, 1) == 1, text.count < 65536 else { return }
            text.append(byte)
            // A handshake of TLS, which this server has not: HTTP begins with a letter.
            if text[0] < UInt8(ascii: "A") { return }
        }
        let lines = String(decoding: text, as: UTF8.self).split(separator: "\r\n")
        guard let first = lines.first?.split(separator: " "), first.count >= 2 else { return }
        let place = first[1].split(separator: "?", maxSplits: 1)
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            if parts.count == 2 { headers[parts[0].lowercased()] = String(parts[1].drop { $0 == " " }) }
        }
        var request = Request(
            method: String(first[0]),
            path: String(place.first ?? "/"),
            query: place.count > 1 ? String(place[1]) : "",
            headers: headers
        )
        if let length = headers["content-length"].flatMap(Int.init) {
            var buffer = [UInt8](repeating: 0, count: 1 << 16)
            while request.body.count < length {
                let count = read(connection, &buffer, min(buffer.count, length - request.body.count))
                guard count > 0 else { return }
                request.body += buffer[..<count]
            }
        }
        log.withLock { $0.append(request) }
        send(answer(request), to: connection, isHead: request.method == "HEAD")
    }

    private func send(_ answer: Answer, to connection: CInt, isHead: Bool) {
        var head = "HTTP/1.1 \(answer.status) so\r\nConnection: close\r\n"
        for (name, value) in answer.headers { head += "\(name): \(value)\r\n" }
        if !answer.isEndless { head += "Content-Length: \(answer.length ?? answer.body.count)\r\n" }
        guard write(Array((answer.head ?? head + "\r\n").utf8), to: connection) else { return }
        // What HEAD asks for has the length of what there is, and nothing of it.
        guard !isHead else { return }
        repeat {
            let body = answer.cut.map { Array(answer.body.prefix($0)) } ?? answer.body
            // Before: who has got all of it may ask at once.
            sent.wrappingAdd(body.count, ordering: .sequentiallyConsistent)
            let first = answer.resumed == nil ? 0 : min(answer.pause ?? 0, body.count)
            if let resumed = answer.resumed {
                guard write(Array(body[..<first]), to: connection) else { return }
                resumed()
            }
            guard write(Array(body[first...]), to: connection) else { return }
        } while answer.isEndless
        if answer.stalls {
            // Until the other side goes.
            var byte: UInt8 = 0
            while read(connection, &byte, 1) > 0 {}
        }
    }

    private func write(_ bytes: [UInt8], to connection: CInt) -> Bool {
        bytes.withUnsafeBytes { buffer in
            var done = 0
            while done < buffer.count {
                let count = Glibc.write(
                    connection,
                    buffer.baseAddress?.advanced(by: done),
                    buffer.count - done
                )
                guard count > 0 else { return false }
                done += count
            }
            return true
        }
    }
}
