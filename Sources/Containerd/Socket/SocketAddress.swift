import Linux
import SystemPackage

import Glibc

/// sockaddr_un of a path.
struct SocketAddress {
    private var address = sockaddr_un()
    private var length: socklen_t

    /// `path`: as the kernel wants it; a leading zero byte for an abstract name. nil where it is too long.
    init?(_ path: [UInt8]) {
        address.sun_family = sa_family_t(AF_UNIX)
        let room = MemoryLayout.size(ofValue: address.sun_path)
        // A path ends with a zero byte.
        guard !path.isEmpty, path.count < room else { return nil }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
        let isAbstract = path.first == 0
        length = socklen_t(MemoryLayout<sockaddr_un>.offset(of: \.sun_path) ?? 2)
        length += socklen_t(path.count + (isAbstract ? 0 : 1))
    }

    init(_ path: FilePath) throws {
        let bytes = Array(path.string.utf8)
        guard let address = SocketAddress(bytes) else {
            throw Failure("\(path) is longer than the 107 bytes that a socket's path can have")
        }
        self = address
    }

    func use(_ body: (UnsafePointer<sockaddr>, socklen_t) -> CInt) -> CInt {
        withUnsafeBytes(of: address) { bytes in
            guard let base = bytes.baseAddress else { return -1 }
            return body(base.assumingMemoryBound(to: sockaddr.self), length)
        }
    }

    static func socket(_ kind: __socket_type) throws(Errno) -> OwnedFD {
        let flags = CInt(kind.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
        return OwnedFD(adopting: try Errno.check(Glibc.socket(AF_UNIX, flags, 0)))
    }
}
