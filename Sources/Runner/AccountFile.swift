import Linux
import SystemPackage

import Glibc

/// /etc/passwd and /etc/group of an image: untrusted, so read with a limit, and only if they are files.
enum AccountFile {
    static let limit = 16 << 20

    /// The fields of every line. A file that is missing has none.
    static func lines(of path: FilePath, root: borrowing OwnedFD) throws -> [[String]] {
        let bytes: [UInt8]
        do {
            // O_NONBLOCK: a FIFO of this name must not hang us.
            let file = try root.open(inRoot: path, O_RDONLY | O_NONBLOCK | O_NOCTTY)
            guard try file.status().st_mode & Glibc.S_IFMT == Glibc.S_IFREG else {
                throw Failure("\(path) in the container is not a file")
            }
            bytes = try file.contents(limit: limit)
        } catch Errno.noSuchFileOrDirectory {
            return []
        } catch Errno.notDirectory {
            return []
        } catch let errno as Errno {
            throw Failure("read \(path) in the container", errno)
        }
        return bytes.split(separator: UInt8(ascii: "\n")).map { line in
            line.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
                .map { String(decoding: $0, as: UTF8.self) }
        }
    }

    /// An id, 0 to 2³¹-1 as docker has it: (uid_t)-1 would mean "unchanged" to setresuid(2).
    static func number(_ text: String) -> UInt32? {
        guard let number = Int32(text), number >= 0 else { return nil }
        return UInt32(number)
    }
}
