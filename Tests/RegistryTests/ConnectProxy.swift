import Glibc
import Linux
import Synchronization
import SystemPackage

/// A proxy on loopback that takes CONNECT alone, and brings everything to one server of this machine.
final class ConnectProxy: Sendable {
    private let socket: CInt
    private let target: UInt16
    /// 127.0.0.1:PORT.
    let address: String
    private let heads = Mutex<[String]>([])

    /// What it was asked, headers and all.
    var requests: [String] { heads.withLock { $0 } }

    /// `target`: 127.0.0.1:PORT.
    init(to target: String) throws {
        self.target = target.split(separator: ":").last.flatMap { UInt16($0) } ?? 0
        (socket, address) = try Loopback.listen()
        let socket = socket
        try WorkerThread { [weak self] in
            while true {
                let connection = accept(socket, nil, nil)
                guard connection >= 0 else { return }
                _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
                guard let self, let thread = try? WorkerThread({ self.serve(connection) }) else {
                    close(connection)
                    continue
                }
                thread.detach()
            }
        }.detach()
    }

    deinit {
        shutdown(socket, CInt(SHUT_RDWR))
        close(socket)
    }

    private func serve(_ client: CInt) {
        defer { close(client) }
        var head: [UInt8] = []
        var byte: UInt8 = 0
        while !head.suffix(4).elementsEqual("\r\n\r\n".utf8) {
            guard read(client, &byte, 1) == 1, head.count < 65536 else { return }
            head.append(byte)
        }
        let text = String(decoding: head, as: UTF8.self)
        heads.withLock { $0.append(text) }
        let server = Loopback.connect(to: target)
        defer { close(server) }
        let isFine = server >= 0 && text.hasPrefix("CONNECT ")
        let answer = Array("HTTP/1.1 \(isFine ? "200 so" : "405 no")\r\n\r\n".utf8)
        guard write(client, answer, answer.count) == answer.count, isFine else { return }
        let back = try? WorkerThread { ConnectProxy.copy(server, client) }
        ConnectProxy.copy(client, server)
        back?.join()
    }

    /// Until the end of `from`.
    private static func copy(_ from: CInt, _ to: CInt) {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = read(from, &buffer, buffer.count), count > 0 {
            guard write(to, buffer, count) == count else { break }
        }
        shutdown(to, CInt(SHUT_WR))
    }
}
