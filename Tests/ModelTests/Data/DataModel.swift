/// A file as it should be: its bytes.
final class ModelFile {
    private(set) var bytes: [UInt8]
    /// Something was stored through a mapping, which only the kernel knows.
    var isDirty = false

    init(_ bytes: [UInt8] = []) { self.bytes = bytes }

    /// What `write` puts at a position: it says where it is, so that moved data is seen.
    static func byte(_ fill: UInt8, at position: Int) -> UInt8 {
        fill &+ UInt8(truncatingIfNeeded: position % 251)
    }

    static func pattern(_ fill: UInt8, at offset: Int, count: Int) -> [UInt8] {
        (offset..<offset + count).map { byte(fill, at: $0) }
    }

    func read(_ offset: Int, _ count: Int) -> ArraySlice<UInt8> {
        bytes[min(offset, bytes.count)..<min(offset + count, bytes.count)]
    }

    func write(_ data: some Collection<UInt8>, at offset: Int) {
        guard !data.isEmpty else { return }
        grow(to: offset + data.count)
        bytes.replaceSubrange(offset..<offset + data.count, with: data)
    }

    func truncate(to size: Int) {
        grow(to: size)
        bytes.removeLast(bytes.count - size)
    }

    /// fallocate(2) with FALLOC_FL_KEEP_SIZE 1, PUNCH_HOLE 2, ZERO_RANGE 16.
    func allocate(mode: Int32, offset: Int, length: Int) {
        if mode & 1 == 0 { grow(to: offset + length) }
        guard mode & 0x12 != 0 else { return }
        for position in min(offset, bytes.count)..<min(offset + length, bytes.count) { bytes[position] = 0 }
    }

    private func grow(to size: Int) {
        if size > bytes.count { bytes += repeatElement(0, count: size - bytes.count) }
    }
}
