import Dockerfile
import Layers
import Linux
import Tar

extension Copier {
    /// `ADD` of a file: unpacks it into the directory `path` if it is a tar, plain or compressed. Returns whether it is.
    ///
    /// Links in the destination are followed inside of it, as if the archive were unpacked in a container; names with
    /// `..` stay below the directory.
    func unpack(_ source: CopySource, to path: String) throws -> Bool {
        guard source.file.attributes.kind == .file, source.file.attributes.size > 0 else { return false }
        let isTar = try Copier.isTar(source)
        guard isTar else { return false }
        try writer.addToKey(source.base, source.file)
        let place = try TreePath.resolve(TreePath.names(path.utf8), in: destination)
        try makeDirectories(place.names)
        var reader = try Copier.reader(of: source)
        while let entry = try reader.next() { try unpack(entry, from: &reader, into: place.names) }
        return true
    }

    private static func reader(of source: CopySource) throws -> TarReader {
        TarReader(Decompressor(try source.file.content(), named: source.name), named: source.name)
    }

    private static func isTar(_ source: CopySource) throws -> Bool {
        var head = [UInt8](repeating: 0, count: 6)
        var content = try source.file.content()
        let count = try head.withUnsafeMutableBytes { try content.read(into: $0) }
        // What is compressed in another way is no tar to mica, and BuildKit would unpack it.
        let foreign: [(name: String, mark: [UInt8])] = [
            ("xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]), ("bzip2", Array("BZh".utf8)),
        ]
        for (name, mark) in foreign where head.prefix(count).starts(with: mark) {
            throw Failure(
                "\(source.name) is compressed with \(name), and would be unpacked: mica reads gzip and zstd",
                advice: "COPY it and unpack it with RUN; or ADD --unpack=false."
            )
        }
        do {
            var reader = try reader(of: source)
            return try reader.next() != nil
        } catch is Failure {
            return false
        }
    }

    private func unpack(_ entry: TarEntry, from reader: inout TarReader, into top: [[UInt8]]) throws {
        let names = TreePath.names(entry.path)
        guard let last = names.last else {
            // The directory itself.
            return
        }
        let parent = try TreePath.resolve(top + names.dropLast(), in: destination).names
        try makeDirectories(parent)
        let path = parent + [last]
        let known = try destination.file(path)
        if let known, known.isDirectory != (entry.kind == .directory) {
            if known.isDirectory { throw reader.failure("there is a directory in its place") }
        }
        var entry = entry
        entry.path = TreePath.bytes(path)
        if let owner { (entry.uid, entry.gid) = (owner.uid, owner.gid) }
        if entry.kind == .hardLink {
            let target = top + TreePath.names(entry.linkTarget)
            let place =
                try TreePath.resolve(Array(target.dropLast()), in: destination).names + target.suffix(1)
            guard try destination.file(place) != nil else {
                throw reader.failure("it is a link to a file that is not there")
            }
            entry.linkTarget = TreePath.bytes(place)
        }
        try writer.add(entry, from: &reader)
        destination.make(
            path,
            .init(
                attributes: TreeAttributes(
                    kind: entry.kind == .hardLink ? .file : entry.kind,
                    mode: entry.mode,
                    uid: entry.uid,
                    gid: entry.gid,
                    size: entry.size,
                    modified: entry.modified
                ),
                target: entry.kind == .symbolicLink ? entry.linkTarget : []
            )
        )
    }
}
