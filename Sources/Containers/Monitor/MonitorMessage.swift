import Linux
import SystemPackage

import CLinux
import Glibc

/// The protocol of a monitor and its clients: each message is one SOCK_SEQPACKET message, a byte for the kind and
/// its data.
struct MonitorMessage {
    enum Kind: UInt8 {
        /// To the monitor: bytes for the program's standard input; rows and columns of a client's terminal, two
        /// bytes each, little-endian.
        case input = 1
        case window = 2
        /// From the monitor: output of the program, and last of all its exit status, four bytes.
        case output = 16
        case error = 17
        case ended = 18
    }

    /// The longest data of a message, in bytes.
    static let longest = 1 << 16

    var kind: Kind
    var bytes: [UInt8]

    /// EPIPE when the other side is gone. Blocks while it does not read.
    static func send(_ kind: Kind, _ bytes: UnsafeRawBufferPointer, to socket: borrowing OwnedFD)
        throws(Errno)
    {
        var rest = bytes[...]
        repeat {
            let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(longest))
            let result = socket.use { clinux_send($0, kind.rawValue, piece.baseAddress, piece.count) }
            guard result == 0 else { throw Errno(rawValue: -result) }
            rest = rest.dropFirst(longest)
        } while !rest.isEmpty
    }

    /// nil at the end. Messages of unknown kinds are passed over.
    static func next(from socket: borrowing OwnedFD) throws(Errno) -> MonitorMessage? {
        var bytes = [UInt8](repeating: 0, count: longest + 1)
        while true {
            var carried: CInt = -1
            let count = socket.use { raw in
                bytes.withUnsafeMutableBytes { buffer in
                    buffer.baseAddress.map { clinux_receive(raw, $0, buffer.count, &carried) } ?? 0
                }
            }
            if carried >= 0 { close(carried) }
            guard count >= 0 else { throw Errno(rawValue: CInt(truncatingIfNeeded: -count)) }
            guard count > 0 else { return nil }
            guard let kind = Kind(rawValue: bytes[0]) else { continue }
            return MonitorMessage(kind: kind, bytes: Array(bytes[1..<count]))
        }
    }
}
