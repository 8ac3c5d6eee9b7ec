import Digests
import Linux
import SystemPackage

import Glibc

/// One export in progress: gathers the pieces of a recipe into large ones.
final class LayerAssembly {
    /// The object that the last piece came from, as most next pieces do.
    private final class OpenObject {
        let digest: Digest
        let fd: OwnedFD

        init(_ digest: Digest, _ fd: consuming OwnedFD) {
            self.digest = digest
            self.fd = fd
        }
    }

    private let layout: StoreLayout
    private let diffID: Digest
    private let recipe: RecipeReader
    private let pack: OwnedFD
    private var object: OpenObject?
    private let pool = ChunkPool()
    private var chunk: Chunk
    private let hashes: HashWorker
    private var left: UInt64

    init(_ layout: StoreLayout, _ diffID: Digest) throws {
        self.layout = layout
        self.diffID = diffID
        recipe = try RecipeReader(layout.layer(diffID).appending("recipe"))
        guard recipe.header.diffID == diffID else {
            throw recipe.damaged("it is that of \(recipe.header.diffID)")
        }
        left = recipe.header.tarSize
        let path = layout.layer(diffID).appending("pack")
        pack = try naming("open the pack \(path)") { try OwnedFD.open(path, O_RDONLY) }
        hashes = try HashWorker()
        chunk = pool.chunk()
    }

    func run(_ sink: (UnsafeRawBufferPointer) throws -> Void) throws {
        while let step = try recipe.next() {
            switch step {
            case .literal(let bytes):
                try bytes.withUnsafeBytes { bytes in
                    var rest = bytes
                    try append(UInt64(bytes.count), sink) { room in
                        let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(room.count))
                        room.copyMemory(from: piece)
                        rest = UnsafeRawBufferPointer(rebasing: rest[piece.count...])
                    }
                }
            case .packed(let offset, let count):
                let pack = pack.raw
                try copy(offset, count, sink, "the pack of layer \(diffID)", pack)
            case .object(let digest, let offset, let count):
                let object = try open(digest)
                try copy(offset, count, sink, "the object \(digest)", object.fd.raw)
            }
        }
        try flush(sink)
        guard left == 0 else { throw recipe.damaged("it ends \(left) bytes too early") }
        let actual = hashes.finish().tar
        guard actual == diffID else {
            throw Failure(
                "layer \(diffID) is damaged: its tar comes out as \(actual)",
                advice: "Load its image again after removing it."
            )
        }
    }

    private func open(_ digest: Digest) throws -> OpenObject {
        if let object, object.digest == digest { return object }
        let path = layout.object(digest)
        let fd = try naming("layer \(diffID): open the object \(path)") { try OwnedFD.open(path, O_RDONLY) }
        let opened = OpenObject(digest, fd)
        object = opened
        return opened
    }

    /// `fd` is borrowed for the call.
    private func copy(
        _ offset: UInt64,
        _ count: UInt64,
        _ sink: (UnsafeRawBufferPointer) throws -> Void,
        _ what: String,
        _ fd: CInt
    ) throws {
        let (end, overflow) = offset.addingReportingOverflow(count)
        guard !overflow, end <= UInt64(Int64.max) else { throw recipe.damaged("a piece beyond any file") }
        var position = Int(offset)
        try append(count, sink) { room in
            var rest = room
            while !rest.isEmpty {
                let got = try naming("read \(what)") {
                    try Errno.retrying { pread(fd, rest.baseAddress, rest.count, position) }
                }
                guard got > 0 else { throw Failure("layer \(diffID): \(what) is cut short") }
                position += got
                rest = UnsafeMutableRawBufferPointer(rebasing: rest[got...])
            }
        }
    }

    /// Lets `fill` write `count` bytes in pieces; it fills each buffer that it gets.
    private func append(
        _ count: UInt64,
        _ sink: (UnsafeRawBufferPointer) throws -> Void,
        _ fill: (UnsafeMutableRawBufferPointer) throws -> Void
    ) throws {
        guard count <= left else { throw recipe.damaged("it makes more than the tar's size") }
        left -= count
        var rest = count
        while rest > 0 {
            if chunk.room.isEmpty { try flush(sink) }
            let piece = chunk.room.prefix(Int(min(rest, UInt64(chunk.room.count))))
            try fill(UnsafeMutableRawBufferPointer(rebasing: piece))
            chunk.extend(by: piece.count)
            rest -= UInt64(piece.count)
        }
    }

    private func flush(_ sink: (UnsafeRawBufferPointer) throws -> Void) throws {
        let full = chunk
        hashes.update(.tar, full)
        try sink(full.bytes)
        chunk = pool.chunk()
    }
}
