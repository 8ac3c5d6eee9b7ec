import Glibc
import Linux
import SystemPackage

/// What systemd is told of a service, as sd_notify(3) does it: a datagram to the socket that $NOTIFY_SOCKET names.
package enum ServiceNotice: String {
    case ready = "READY=1"
    case stopping = "STOPPING=1"
    case alive = "WATCHDOG=1"

    /// Nothing where it was not asked for.
    package func send() throws {
        guard let name = getenv("NOTIFY_SOCKET") else { return }
        var path = Array(String(cString: name).utf8)
        if path.first == UInt8(ascii: "@") { path[0] = 0 }
        guard path.first == 0 || path.first == UInt8(ascii: "/"), let address = SocketAddress(path) else {
            throw Failure("$NOTIFY_SOCKET is \"\(String(cString: name))\", which is no socket's path")
        }
        let socket = try naming("make a socket") { try SocketAddress.socket(SOCK_DGRAM) }
        let text = Array(rawValue.utf8)
        try naming("tell the service manager \(rawValue)") {
            _ = try Errno.check(
                address.use {
                    CInt(clamping: sendto(socket.raw, text, text.count, CInt(MSG_NOSIGNAL), $0, $1))
                }
            )
        }
    }

    /// How often `alive` is wanted at least, in microseconds; nil: never. $WATCHDOG_PID may say that another process is
    /// meant.
    package static var watchdogInterval: UInt64? {
        guard let text = getenv("WATCHDOG_USEC"), let interval = UInt64(String(cString: text)), interval > 0
        else {
            return nil
        }
        if let pid = getenv("WATCHDOG_PID"), String(cString: pid) != "\(getpid())" { return nil }
        return interval
    }
}
