package import Linux
package import SystemPackage

import Glibc

/// A unix socket that clients connect to, for this user alone.
package enum ListeningSocket {
    private static let backlog: CInt = 128

    /// Listens at `path`, whose directory is private (`PrivateDirectory`). A socket that no process answers on any more is
    /// replaced; failedPrecondition where one does, or where something else has the name.
    package static func listening(at path: FilePath) throws -> OwnedFD {
        // One that is too long could be made nevertheless, by its other name, and no client could connect.
        _ = try SocketAddress(path)
        if path.exists { try checkThatNobodyAnswers(path) }
        // Under a name of its own until it is closed to others: there is no moment at which they could connect.
        let staged = path.removingLastComponent().appending(".\(getpid())")
        let socket = try naming("make a socket") { try SocketAddress.socket(SOCK_STREAM) }
        let address = try SocketAddress(staged)
        try naming("listen at \(path)") {
            try staged.unlink()
            try Errno.check(address.use { bind(socket.raw, $0, $1) })
            do {
                try Errno.check(staged.withPlatformString { chmod($0, 0o600) })
                try Errno.check(Glibc.listen(socket.raw, backlog))
                try staged.rename(to: path)
            } catch {
                try? staged.unlink()
                throw error
            }
        }
        return socket
    }

    private static func checkThatNobodyAnswers(_ path: FilePath) throws {
        let status = try naming("look at \(path)") { try path.status() }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw Failure(
                "\(path) is there, and is no socket",
                advice: "Remove it, or choose another path.",
                kind: .failedPrecondition
            )
        }
        let socket = try naming("make a socket") { try SocketAddress.socket(SOCK_STREAM) }
        let address = try SocketAddress(path)
        guard address.use({ connect(socket.raw, $0, $1) }) == 0 else { return }
        throw Failure(
            "somebody answers at \(path) already",
            advice: "End that one first, or choose another path.",
            kind: .failedPrecondition
        )
    }
}
