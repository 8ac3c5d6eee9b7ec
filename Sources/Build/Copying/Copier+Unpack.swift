import Dockerfile
import Layers
import Linux
import Tar

extension Copier {
    /// `ADD` of a file: unpacks it into the directory `path` if it is a tar, plain or compressed. Returns whether it is.
    ///
    /// Links in the destination and in the archive are followed as if the directory were the root: neither `..` nor an
    /// absolute link leads out of it. What is no directory takes the place of one, with all that is in it.
    func unpack(_ source: CopySource, to path: String) throws -> Bool {
        guard source.file.attributes.kind == .file, source.file.attributes.size > 0 else { return false }
        guard try Copier.isTar(source) else { return false }
        try writer.addToKey(source.base, source.file)
        let place = try TreePath.resolve(TreePath.names(path.utf8), in: destination)
        try makeDirectories(place.names)
        var plain = try Copier.plain(source).source
        var reader = TarReader(plain, named: source.name)
        while let entry = try reader.next() { try unpack(entry, from: &reader, into: place.names) }
        // Checksums of what is compressed come behind the tar's end.
        try Copier.readToTheEnd(&plain)
        return true
    }

    /// An archive's bytes. `filter`: where a program of its own decompresses them.
    private static func plain(_ source: CopySource) throws -> (
        source: any ByteSource, filter: FilteredSource?
    ) {
        var head = [UInt8](repeating: 0, count: 6)
        var content = try source.file.content()
        let count = try head.withUnsafeMutableBytes { try content.read(into: $0) }
        content = try source.file.content()
        guard let format = ForeignCompression(head.prefix(count)) else {
            return (Decompressor(content, named: source.name), nil)
        }
        let plain = try format.decompressed(content, named: source.name)
        return (plain, plain)
    }

    private static func isTar(_ source: CopySource) throws -> Bool {
        let archive = try plain(source)
        var plain = archive.source
        var reader = TarReader(plain, named: source.name)
        do { return try reader.next() != nil } catch is Failure {
            // What says that it is compressed, and is damaged, is no file to copy.
            if archive.filter != nil { try readToTheEnd(&plain) }
            return false
        }
    }

    private static func readToTheEnd(_ source: inout any ByteSource) throws {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
        defer { buffer.deallocate() }
        while try source.read(into: buffer) > 0 {}
    }

    private func unpack(_ entry: TarEntry, from reader: inout TarReader, into top: [[UInt8]]) throws {
        let names = TreePath.names(entry.path)
        guard let last = names.last else {
            // The directory itself.
            return
        }
        let inside = Subtree(tree: destination, top: top)
        let parent = top + (try TreePath.resolve(Array(names.dropLast()), in: inside).names)
        try makeDirectories(parent)
        let path = parent + [last]
        if entry.kind != .directory, try destination.file(path)?.isDirectory == true {
            destination.forget(path)
        }
        var entry = entry
        entry.path = TreePath.bytes(path)
        if let owner { (entry.uid, entry.gid) = (owner.uid, owner.gid) }
        if entry.kind == .hardLink {
            let target = TreePath.names(entry.linkTarget)
            let directory = try TreePath.resolve(Array(target.dropLast()), in: inside).names
            let place = top + directory + target.suffix(1)
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
