import Linux
import Tar

import Glibc

/// An image archive: a tar whose files are read in place. Nothing is unpacked.
package struct TarArchive: ImageFiles {
    private enum Place {
        case file(offset: UInt64, size: UInt64)
        /// A symbolic or hard link: the name of another entry.
        case link([UInt8])
    }

    /// A limit for the index in memory. Archives have a few entries for each layer.
    private static let entryLimit = 100_000
    private static let linkLimit = 16

    package let name: String
    private let file: BlobFile.Shared
    private let places: [[UInt8]: Place]

    /// Reads the headers of `tar` from end to end. `name` is for messages.
    package init(_ tar: BlobFile.Shared, name: String) throws {
        self.name = name
        file = tar
        let size = try naming("read \(name)") { UInt64(try tar.fd.status().st_size) }
        var reader = TarReader(BlobFile(tar, offset: 0, size: size).source(), named: name)
        var places: [[UInt8]: Place] = [:]
        while let entry = try TarArchive.next(&reader) {
            guard places.count < TarArchive.entryLimit else {
                throw Failure(
                    "\(name) has more than \(TarArchive.entryLimit) files: it is no image archive",
                    advice: "A root filesystem becomes an image with: mica import"
                )
            }
            guard let path = TarArchive.normalized(entry.path, in: []) else { continue }
            switch entry.kind {
            case .file where entry.extents == nil:
                places[path] = .file(offset: entry.contentOffset, size: entry.size)
            case .symbolicLink:
                let directory = Array(path.split(separator: 0x2f).dropLast())
                places[path] = TarArchive.normalized(entry.linkTarget, in: directory).map { .link($0) }
            case .hardLink:
                places[path] = TarArchive.normalized(entry.linkTarget, in: []).map { .link($0) }
            default: places[path] = nil
            }
        }
        self.places = places
    }

    private static func next(_ reader: inout TarReader) throws -> TarEntry? {
        do { return try reader.next() } catch var failure as Failure {
            failure.advice =
                "Expected a docker-archive or an OCI layout: a tar, plain or compressed, or a directory."
            throw failure
        }
    }

    package func file(_ name: String) throws -> BlobFile? {
        guard var key = TarArchive.normalized(Array(name.utf8), in: []) else { return nil }
        for _ in 0..<TarArchive.linkLimit {
            switch places[key] {
            case nil: return nil
            case .file(let offset, let size): return BlobFile(file, offset: offset, size: size)
            case .link(let target): key = target
            }
        }
        throw Failure("\(String.quoting(name.utf8)) in \(self.name) goes through too many links")
    }

    /// `./a//b/../c` → `a/c`; nil where that leaves the archive.
    private static func normalized(_ path: [UInt8], in directory: [ArraySlice<UInt8>]) -> [UInt8]? {
        guard path.first != 0x2f else { return nil }
        var parts = directory
        for part in path.split(separator: 0x2f) {
            if part.elementsEqual([0x2e]) { continue }
            if part.elementsEqual([0x2e, 0x2e]) {
                guard !parts.isEmpty else { return nil }
                parts.removeLast()
            } else {
                parts.append(part)
            }
        }
        return Array(parts.joined(separator: [0x2f]))
    }
}
