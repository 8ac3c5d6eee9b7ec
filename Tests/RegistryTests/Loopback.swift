import Glibc
import Linux
import SystemPackage

/// Sockets of this machine's own.
enum Loopback {
    private static func place(port: UInt16) -> sockaddr_in {
        var place = sockaddr_in()
        place.sin_family = sa_family_t(AF_INET)
        place.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        place.sin_port = port.bigEndian
        return place
    }

    private static func make() -> CInt {
        socket(AF_INET, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
    }

    /// A socket that listens on a port that was free, and 127.0.0.1:PORT.
    static func listen() throws -> (socket: CInt, address: String) {
        let socket = make()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        var place = place(port: 0)
        let result = withUnsafeMutablePointer(to: &place) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address -> CInt in
                guard bind(socket, address, size) == 0, Glibc.listen(socket, 64) == 0 else { return -1 }
                return getsockname(socket, address, &size)
            }
        }
        guard result == 0 else { throw Errno.last }
        return (socket, "127.0.0.1:\(UInt16(bigEndian: place.sin_port))")
    }

    /// -1 where nothing listens there.
    static func connect(to port: UInt16) -> CInt {
        let socket = make()
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        var place = place(port: port)
        let result = withUnsafePointer(to: &place) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.connect(socket, $0, size) }
        }
        guard result == 0 else {
            close(socket)
            return -1
        }
        return socket
    }
}
