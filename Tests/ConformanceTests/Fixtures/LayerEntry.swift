/// One line of a layer, from which both a tar and a directory in overlayfs's format can be made.
struct LayerEntry: Sendable {
    enum Kind: Sendable {
        case directory
        case file([UInt8])
        /// Data at offsets, holes between, `size` bytes in all.
        case sparse(size: Int, data: [(offset: Int, bytes: [UInt8])])
        case symlink([UInt8])
        case hardLink(Path)
        case character(major: UInt32, minor: UInt32)
        case block(major: UInt32, minor: UInt32)
        case fifo
        /// `path` is what is hidden.
        case whiteout
        /// `path` is the directory in which all that the layers below have is hidden.
        case opaque
    }

    struct Time: Hashable, Sendable {
        var seconds: Int
        var nanoseconds: Int
    }

    var path: Path
    var kind: Kind
    var mode: UInt32 = 0o644
    var uid: UInt32 = 0
    var gid: UInt32 = 0
    var time = Time(seconds: 1_500_000_000, nanoseconds: 123_456_789)
    var xattrs: [String: [UInt8]] = [:]

    static func directory(_ path: Path, _ mode: UInt32 = 0o755) -> LayerEntry {
        LayerEntry(path: path, kind: .directory, mode: mode)
    }
    static func file(_ path: Path, _ text: String, _ mode: UInt32 = 0o644) -> LayerEntry {
        LayerEntry(path: path, kind: .file(Array(text.utf8)), mode: mode)
    }
    static func symlink(_ path: Path, to target: String) -> LayerEntry {
        LayerEntry(path: path, kind: .symlink(Array(target.utf8)), mode: 0o777)
    }
    static func hardLink(_ path: Path, to target: Path) -> LayerEntry {
        LayerEntry(path: path, kind: .hardLink(target))
    }
    static func whiteout(_ path: Path) -> LayerEntry { LayerEntry(path: path, kind: .whiteout) }
    static func opaque(_ path: Path) -> LayerEntry { LayerEntry(path: path, kind: .opaque) }

    func owned(by uid: UInt32, _ gid: UInt32) -> LayerEntry {
        var copy = self
        (copy.uid, copy.gid) = (uid, gid)
        return copy
    }
    func at(_ seconds: Int, _ nanoseconds: Int = 0) -> LayerEntry {
        var copy = self
        copy.time = Time(seconds: seconds, nanoseconds: nanoseconds)
        return copy
    }
    func with(_ xattr: String, _ value: [UInt8]) -> LayerEntry {
        var copy = self
        copy.xattrs[xattr] = value
        return copy
    }
}

typealias Layer = [LayerEntry]
