/// A path below the root of a tree, without a leading slash. Empty is the root itself. Bytes, as the kernel
/// has them: fixtures hold names that are not UTF-8.
struct Path: Hashable, Comparable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
    var bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }
    init(stringLiteral value: String) { bytes = Array(value.utf8) }

    static let root = Path([])

    static func / (directory: Path, name: Path) -> Path {
        directory.bytes.isEmpty ? name : Path(directory.bytes + [slash] + name.bytes)
    }

    static func < (a: Path, b: Path) -> Bool { a.bytes.lexicographicallyPrecedes(b.bytes) }

    var parent: Path {
        Path(Array(bytes.prefix(bytes.lastIndex(of: slash) ?? 0)))
    }

    /// The directories it is in, from the nearest up, without the root.
    var ancestors: [Path] {
        parent.bytes.isEmpty ? [] : [parent] + parent.ancestors
    }

    var name: [UInt8] {
        guard let last = bytes.lastIndex(of: slash) else { return bytes }
        return Array(bytes[(last + 1)...])
    }

    /// What a system call wants, for this path below `root`.
    func terminated(below root: String) -> [CChar] {
        let whole = bytes.isEmpty ? Array(root.utf8) : Array(root.utf8) + [slash] + bytes
        return whole.map { CChar(bitPattern: $0) } + [0]
    }

    var description: String {
        bytes.isEmpty ? "/" : String(decoding: bytes, as: UTF8.self)
    }
}

private let slash: UInt8 = 0x2f
