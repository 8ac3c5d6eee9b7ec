import Linux
import Runner
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
        /// To the monitor, from the process that started it: the ID of the container to run; the kind of a stream, one
        /// byte, that can't be passed on any more: the program gets SIGPIPE.
        case run = 3
        case closed = 4
        /// From the monitor: output of the program, and last of all its exit status, four bytes.
        case output = 16
        case error = 17
        case ended = 18
        /// To the process that started it: the program runs; or an exit code, a space and why it could not be started.
        case running = 19
        case failed = 20
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
            try sendOne(kind, piece, to: socket, waiting: true)
            rest = rest.dropFirst(longest)
        } while !rest.isEmpty
    }

    /// One message of at most `longest` bytes. EAGAIN when it is not `waiting` and there is no room.
    static func sendOne(
        _ kind: Kind,
        _ bytes: UnsafeRawBufferPointer,
        to socket: borrowing OwnedFD,
        waiting: Bool
    ) throws(Errno) {
        let result = socket.use {
            clinux_send($0, kind.rawValue, bytes.baseAddress, bytes.count, waiting ? 1 : 0)
        }
        guard result == 0 else { throw Errno(rawValue: -result) }
    }

    static func send(_ window: ProcessStreams.WindowSize, to socket: borrowing OwnedFD) throws(Errno) {
        let bytes = [window.rows, window.columns].flatMap {
            [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)]
        }
        try send(.window, bytes, to: socket)
    }

    static func send(_ kind: Kind, _ bytes: [UInt8], to socket: borrowing OwnedFD) throws(Errno) {
        var failure: Errno?
        bytes.withUnsafeBytes { buffer in
            do throws(Errno) { try send(kind, buffer, to: socket) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    /// The size in a `window` message; nil for others.
    var window: ProcessStreams.WindowSize? {
        guard kind == .window, bytes.count == 4 else { return nil }
        let numbers = bytes.map { UInt16($0) }
        return ProcessStreams.WindowSize(
            rows: numbers[0] | numbers[1] << 8,
            columns: numbers[2] | numbers[3] << 8
        )
    }

    /// The status in an `ended` message; nil for others.
    var status: ExitStatus? {
        guard kind == .ended, bytes.count == 4 else { return nil }
        return ExitStatus(
            rawValue: bytes.enumerated().reduce(Int32(0)) {
                $0 | Int32($1.element) << (8 * Int32($1.offset))
            }
        )
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
