import CCodecs

/// The digest that fs-verity gives a file: a tree of SHA-256 over blocks of 4,096 bytes, without a salt. `fsverity
/// digest FILE` prints it (Linux, Documentation/filesystems/fsverity.rst).
///
/// Blocks are independent of one another, so many are hashed at a time: on a CPU without SHA instructions that is
/// five times as fast as SHA-256 of the whole.
package struct TreeHash: ~Copyable {
    private static let blockSize = Int(CCODECS_BLOCK_SIZE)
    private static let digestSize = 32
    /// How many blocks are collected before they are hashed: as many as the widest vectors take at a time.
    private static let batch = 16

    /// Digests of the level below, fewer than fill a block: a full block is hashed at once.
    private struct Level {
        var pending: [UInt8] = []
        var total: UInt64 = 0
    }

    private let pending = UnsafeMutableRawBufferPointer.allocate(byteCount: batch * blockSize, alignment: 64)
    private var filled = 0
    private var size: UInt64 = 0
    private var levels: [Level] = [Level()]

    package init() {}

    deinit { pending.deallocate() }

    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        size += UInt64(bytes.count)
        var rest = bytes
        if filled > 0 {
            let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(pending.count - filled))
            UnsafeMutableRawBufferPointer(rebasing: pending[filled...]).copyMemory(from: piece)
            filled += piece.count
            rest = UnsafeRawBufferPointer(rebasing: rest[piece.count...])
            guard filled == pending.count else { return }
            hash(UnsafeRawBufferPointer(pending))
            filled = 0
        }
        let whole = rest.count / pending.count * pending.count
        hash(UnsafeRawBufferPointer(rebasing: rest[..<whole]))
        rest = UnsafeRawBufferPointer(rebasing: rest[whole...])
        pending.copyMemory(from: rest)
        filled = rest.count
    }

    /// The digest of everything so far. The stream can't be continued.
    package consuming func finish() -> Digest {
        let root = root()
        // struct fsverity_descriptor: version 1, algorithm SHA-256, log2 of the block's size, no salt.
        var descriptor = [UInt8](repeating: 0, count: 256)
        descriptor[0] = 1
        descriptor[1] = 1
        descriptor[2] = UInt8(Self.blockSize.trailingZeroBitCount)
        withUnsafeBytes(of: size.littleEndian) { descriptor.replaceSubrange(8..<16, with: $0) }
        descriptor.replaceSubrange(16..<16 + root.count, with: root)
        return SHA256.digest(of: descriptor)
    }

    package static func digest(of bytes: UnsafeRawBufferPointer) -> Digest {
        var hash = TreeHash()
        hash.update(bytes)
        return hash.finish()
    }

    /// The digest at the top of the tree. An empty file has no tree: zeros.
    private mutating func root() -> [UInt8] {
        if size == 0 { return [UInt8](repeating: 0, count: Self.digestSize) }
        let blocks = (filled + Self.blockSize - 1) / Self.blockSize
        let padded = UnsafeMutableRawBufferPointer(rebasing: pending[..<(blocks * Self.blockSize)])
        UnsafeMutableRawBufferPointer(rebasing: padded[filled...]).initializeMemory(
            as: UInt8.self,
            repeating: 0
        )
        hash(UnsafeRawBufferPointer(padded))
        var level = 0
        while levels[level].total > 1 {
            let last = levels[level].pending
            if !last.isEmpty { add(Self.hash(ofBlock: last), to: level + 1) }
            level += 1
        }
        return levels[level].pending
    }

    /// Hashes whole blocks of the file.
    private mutating func hash(_ blocks: UnsafeRawBufferPointer) {
        let count = blocks.count / Self.blockSize
        guard count > 0, let start = blocks.baseAddress else { return }
        let digests = [UInt8](unsafeUninitializedCapacity: count * Self.digestSize) { buffer, filled in
            if let target = buffer.baseAddress {
                ccodecs_sha256_blocks(start.assumingMemoryBound(to: UInt8.self), count, target)
                filled = count * Self.digestSize
            }
        }
        for at in stride(from: 0, to: digests.count, by: Self.digestSize) {
            add(digests[at..<at + Self.digestSize], to: 0)
        }
    }

    private mutating func add(_ digest: some Collection<UInt8>, to level: Int) {
        if level == levels.count { levels.append(Level()) }
        levels[level].total += 1
        levels[level].pending += digest
        guard levels[level].pending.count == Self.blockSize else { return }
        let above = Self.hash(ofBlock: levels[level].pending)
        levels[level].pending.removeAll(keepingCapacity: true)
        add(above, to: level + 1)
    }

    /// Pads `block` with zeros.
    private static func hash(ofBlock block: [UInt8]) -> [UInt8] {
        let padded = block + [UInt8](repeating: 0, count: blockSize - block.count)
        var digest = [UInt8](repeating: 0, count: digestSize)
        ccodecs_sha256_blocks(padded, 1, &digest)
        return digest
    }
}
