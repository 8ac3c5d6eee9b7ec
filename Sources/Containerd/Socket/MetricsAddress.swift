package import Linux
package import SystemPackage

import Glibc

/// Where metrics can be read: a unix socket for this user alone, or a port that this machine alone reaches.
package enum MetricsAddress: Sendable, Equatable {
    case socket(FilePath)
    case port(UInt16)

    /// `/run/mica/metrics.sock`, `127.0.0.1:9470` or `localhost:9470`; nil for anything else, such as another machine's
    /// address, or all of this one's.
    package init?(_ text: String) {
        if text.hasPrefix("/") {
            self = .socket(FilePath(text).lexicallyNormalized())
            return
        }
        let fields = text.split(separator: ":", omittingEmptySubsequences: false)
        guard fields.count == 2, ["127.0.0.1", "localhost"].contains(fields[0]), let port = UInt16(fields[1]),
            port > 0, fields[1].utf8.allSatisfy({ (0x30...0x39).contains($0) })
        else { return nil }
        self = .port(port)
    }

    /// A socket that listens there. `socket`: its directory has to be private.
    package func listening() throws -> OwnedFD {
        switch self {
        case .socket(let path):
            let directory = try PrivateDirectory.claimed(path.removingLastComponent())
            let name = path.lastComponent?.string ?? "metrics.sock"
            return try ListeningSocket.listening(at: directory.appending(name))
        case .port(let port): return try naming("listen at 127.0.0.1:\(port)") { try listen(port) }
        }
    }

    private func listen(_ port: UInt16) throws(Errno) -> OwnedFD {
        let flags = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
        let socket = OwnedFD(adopting: try Errno.check(Glibc.socket(AF_INET, flags, 0)))
        var yes: CInt = 1
        setsockopt(socket.raw, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<CInt>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeBytes(of: address) { bytes in
            guard let base = bytes.baseAddress else { return CInt(-1) }
            return bind(socket.raw, base.assumingMemoryBound(to: sockaddr.self), length)
        }
        try Errno.check(result)
        try Errno.check(Glibc.listen(socket.raw, 16))
        return socket
    }
}
