package import Containers
package import Registry
package import Snapshots

import Layers
package import Linux
import SystemPackage

import Glibc

/// A file that a build has fetched by its URL, and that has no name here.
package struct RemoteFile: Sendable {
    let file: OpenFile
    let description: FileFetch.Description

    /// The variable that says how many bytes a file may have that is fetched.
    package static let variable = "MICA_FETCH_LIMIT"
    private static let usualLimit: UInt64 = 16 << 30

    /// The store's lock need not be held: a server may be slow. nil: `isKnown` says of what the server has that it need
    /// not come.
    package static func fetch(
        _ url: String,
        in store: Store,
        until cancellation: Cancellation,
        isKnown: (FileFetch.Description) throws -> Bool = { _ in false }
    ) throws -> RemoteFile? {
        let limit = try limit()
        let (path, hold) = try store.layout.heldArrival()
        defer { withExtendedLifetime(hold) {} }
        defer { try? path.unlink() }
        let file = OpenFile(try naming("open \(path)") { try OwnedFD.open(path, O_RDONLY) })
        let fetch = try FileFetch()
        let description = try cancellation.covering({ fetch.stop() }) {
            try fetch.fetch(url, into: path, limit: limit, isKnown: isKnown)
        }
        return description.map { RemoteFile(file: file, description: $0) }
    }

    /// All of it, from the front, for one reader.
    package func source() throws -> FileSource {
        try Errno.check(file.fd.use { lseek($0, 0, SEEK_SET) })
        return FileSource(try file.fd.duplicate())
    }

    private static func limit() throws -> UInt64 {
        guard let text = getenv(variable).map({ String(cString: $0) }), !text.isEmpty else {
            return usualLimit
        }
        let units: [Character: UInt64] = ["k": 1 << 10, "m": 1 << 20, "g": 1 << 30]
        let unit = text.last.flatMap { units[$0] }
        let (bytes, isTooLarge) = (UInt64(unit == nil ? text[...] : text.dropLast()) ?? 0)
            .multipliedReportingOverflow(by: unit ?? 1)
        guard bytes > 0, !isTooLarge else {
            throw Failure("$\(variable) is \"\(text)\" and should be a size, like 512m")
        }
        return bytes
    }
}
