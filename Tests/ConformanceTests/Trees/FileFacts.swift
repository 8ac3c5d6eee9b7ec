/// What can be seen of one file, apart from its name.
struct FileFacts: Equatable, Sendable {
    var mode: UInt32
    var uid: UInt32
    var gid: UInt32
    /// nil for directories: what a directory's size means is a filesystem's own business.
    var size: Int?
    /// The first name (by bytes) of the same inode.
    var alias: Path
    /// nil where it is younger than the script that changed the tree: two runs never agree on now.
    var time: LayerEntry.Time?
    var device: UInt64?
    var target: [UInt8]?
    var content: Content?
    var xattrs: [String: [UInt8]]

    struct Content: Equatable, Sendable {
        var digest: String
        var count: Int
    }

    /// "mode 100644 ≠ 100600", for what differs.
    func differences(from other: FileFacts) -> [String] {
        var found: [String] = []
        func compare<T: Equatable>(_ what: String, _ key: KeyPath<FileFacts, T>, _ show: (T) -> String) {
            let (mine, theirs) = (self[keyPath: key], other[keyPath: key])
            if mine != theirs { found.append("\(what) \(show(mine)) ≠ \(show(theirs))") }
        }
        compare("mode", \.mode) { String($0, radix: 8) }
        compare("uid", \.uid) { "\($0)" }
        compare("gid", \.gid) { "\($0)" }
        compare("size", \.size) { "\($0.map(String.init) ?? "-")" }
        compare("same inode as", \.alias) { "\($0)" }
        compare("mtime", \.time) { $0.map { "\($0.seconds).\($0.nanoseconds)" } ?? "now" }
        compare("device", \.device) { "\($0.map(String.init) ?? "-")" }
        compare("target", \.target) { $0.map { String(decoding: $0, as: UTF8.self) } ?? "-" }
        compare("content", \.content) { $0.map { "\($0.count) bytes \($0.digest.prefix(19))" } ?? "-" }
        compare("xattrs", \.xattrs) { "\($0.sorted { $0.key < $1.key })" }
        return found
    }
}
