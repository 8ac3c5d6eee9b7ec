import Digests
import Layers
import Linux
import Tar

import Glibc

/// Writes what a step copies, as the tar of its layer, and again without what no cache is to depend on (times, and where
/// things go), into a digest.
final class FileWriter {
    private var tar: TarWriter?
    private var key: TarWriter
    private let hash: Hash
    private var written: [TreeIdentity: [UInt8]] = [:]
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 17, alignment: 4096)

    private final class Hash {
        var sum = SHA256()
    }

    /// `sink` gets the tar; nil: only the digest is wanted.
    init(notAfter latest: Int64?, to sink: ((UnsafeRawBufferPointer) throws -> Void)?) {
        let hash = Hash()
        self.hash = hash
        tar = sink.map { TarWriter(notAfter: latest, to: $0) }
        key = TarWriter { hash.sum.update($0) }
    }

    deinit { buffer.deallocate() }

    /// Files with several names are told from each other within one tree.
    func beginTree() { written = [:] }

    /// Ends the tar. Returns the digest of all that was copied.
    func finish() throws -> Digest {
        try tar?.finish()
        try key.finish()
        return hash.sum.finish()
    }

    /// A directory that nothing was copied into place of: it depends on where the copy goes, and is no part of the digest.
    func add(directory path: [UInt8], mode: UInt32, uid: UInt32, gid: UInt32, modified: TarEntry.Time) throws
    {
        try refuse(path)
        try tar?.add(
            TarEntry(path: path, kind: .directory, mode: mode, uid: uid, gid: gid, modified: modified)
        )
    }

    /// `name`: in what is copied; `path`: in the layer; `attributes`: those it is to have there.
    func add(_ file: any TreeFile, _ name: [UInt8], to path: [UInt8], _ attributes: TreeAttributes) throws {
        guard let kind = attributes.kind else { return }
        try refuse(path)
        var entry = TarEntry(
            path: path,
            kind: kind,
            mode: attributes.mode,
            uid: attributes.uid,
            gid: attributes.gid,
            size: attributes.size,
            modified: attributes.modified,
            linkTarget: kind == .symbolicLink ? try file.target() : [],
            device: attributes.device,
            xattrs: try file.xattrs()
        )
        if let identity = file.identity, let first = written[identity] {
            entry.kind = .hardLink
            entry.size = 0
            entry.linkTarget = first
        } else if let identity = file.identity {
            written[identity] = path
        }
        var keyed = entry
        keyed.path = name.isEmpty ? Array(".".utf8) : name
        keyed.modified = .init(seconds: 0)
        // As it is where it comes from: what is to become of it is told apart otherwise.
        let own = file.attributes
        (keyed.mode, keyed.uid, keyed.gid) = (own.mode, own.uid, own.gid)
        if entry.kind == .hardLink { keyed.linkTarget = [] }
        try key.add(keyed)
        try tar?.add(entry)
        guard entry.kind == .file else { return }
        var source = try file.content()
        try pass(attributes.size, from: &source, name)
    }

    private func pass(_ size: UInt64, from source: inout any ByteSource, _ name: [UInt8]) throws {
        var left = size
        while left > 0 {
            let wanted = Int(min(left, UInt64(buffer.count)))
            let count = try source.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted]))
            guard count > 0 else {
                throw Failure("\(String(decoding: name, as: UTF8.self)) became shorter while it was copied")
            }
            let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
            try key.write(bytes)
            try tar?.write(bytes)
            left -= UInt64(count)
        }
    }

    /// An entry of an archive that is unpacked; the archive itself is what the digest is of.
    func add(_ entry: TarEntry, from reader: inout TarReader) throws {
        try refuse(entry.path)
        guard tar != nil else { return }
        try tar?.add(entry)
        guard entry.kind == .file else { return }
        guard let extents = entry.extents else {
            return try reader.forEachPiece { try tar?.write($0) }
        }
        // A hole is written as zeros.
        var end: UInt64 = 0
        for extent in extents {
            try addZeros(extent.offset - end)
            var left = extent.length
            while left > 0 {
                let wanted = Int(min(left, UInt64(buffer.count)))
                let count = try reader.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted]))
                guard count > 0 else { throw reader.failure("its data ends early") }
                try tar?.write(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                left -= UInt64(count)
            }
            end = extent.offset + extent.length
        }
        try addZeros(entry.size - end)
    }

    private func addZeros(_ count: UInt64) throws {
        var left = count
        buffer.initializeMemory(as: UInt8.self, repeating: 0)
        while left > 0 {
            let piece = Int(min(left, UInt64(buffer.count)))
            try tar?.write(UnsafeRawBufferPointer(rebasing: buffer[..<piece]))
            left -= UInt64(piece)
        }
    }

    /// The digest's part of an archive that is unpacked.
    func addToKey(_ name: [UInt8], _ file: any TreeFile) throws {
        let size = file.attributes.size
        try key.add(TarEntry(path: name.isEmpty ? Array(".".utf8) : name, kind: .file, size: size))
        var source = try file.content()
        var left = size
        while left > 0 {
            let wanted = Int(min(left, UInt64(buffer.count)))
            let count = try source.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted]))
            guard count > 0 else { throw Failure("an archive became shorter while it was read") }
            try key.write(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            left -= UInt64(count)
        }
    }

    private func refuse(_ path: [UInt8]) throws {
        guard path.count <= LayerImport.longestPath else {
            let begin = String(decoding: path.prefix(100), as: UTF8.self)
            throw Failure("/\(begin)… can't be put into a layer: its path has \(path.count) bytes")
        }
        let name = path.split(separator: UInt8(ascii: "/")).last ?? []
        guard name.starts(with: ".wh.".utf8) else { return }
        throw Failure(
            "/\(String(decoding: path, as: UTF8.self)) can't be put into a layer: names that begin with .wh. stand for"
                + " deleted files there"
        )
    }
}
