package import Linux

import Glibc
import SystemPackage

/// Answers each connection to a socket with one text, over HTTP, in a thread of its own: what asks for metrics is one
/// program on this machine, every few seconds. Whatever the path, the answer is the same.
package enum TextServer {
    /// A client that is slower than this is not waited for, seconds.
    private static let longestWait = 5
    /// Of a request, bytes: what comes after them is not looked at.
    private static let longestRequest = 8192

    /// Serves until the process ends. `text` nil is an answer with status 500.
    package static func start(
        on socket: consuming OwnedFD,
        type: String,
        text: @escaping @Sendable () -> String?
    ) throws {
        let listener = socket.release()
        try WorkerThread {
            while true {
                let client = accept(listener, nil, nil)
                guard client >= 0, fcntl(client, F_SETFD, FD_CLOEXEC) == 0 else {
                    // Without a descriptor for it the client waits.
                    if Errno.last != .interrupted { usleep(100_000) }
                    continue
                }
                answer(OwnedFD(adopting: client), type, text)
            }
        }
        .detach()
    }

    private static func answer(_ client: consuming OwnedFD, _ type: String, _ text: () -> String?) {
        var limit = timeval(tv_sec: longestWait, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(client.raw, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
        guard isAsked(client) else { return }
        let body = text()
        let head = """
            HTTP/1.1 \(body == nil ? "500 Internal Server Error" : "200 OK")\r
            Content-Type: \(type)\r
            Content-Length: \(body?.utf8.count ?? 0)\r
            Connection: close\r
            \r

            """
        try? client.writeAll(Array("\(head)\(body ?? "")".utf8))
    }

    /// Reads a request to the end of its head.
    private static func isAsked(_ client: borrowing OwnedFD) -> Bool {
        var request: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1024)
        let end = KernelClock.now(CLOCK_MONOTONIC) + Int64(longestWait) * 1_000_000_000
        while request.count < longestRequest, KernelClock.now(CLOCK_MONOTONIC) < end {
            let count = piece.withUnsafeMutableBytes { (try? client.read(into: $0)) ?? 0 }
            guard count > 0 else { return false }
            request += piece[..<count]
            if request.contains([13, 10, 13, 10]) || request.contains([10, 10]) { return true }
        }
        return false
    }
}
