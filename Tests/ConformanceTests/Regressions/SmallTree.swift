import Linux
import MountFixtures
import SystemPackage

import CLinux
import Glibc

/// A mount over a small lower tree, and short ways to say what a test does with it.
struct SmallTree {
    let mount: LayeredMount
    /// The lower as it was before the import: what must never change.
    let lowerDirectory: String

    static let large = 1_000_000

    /// - Parameter prepare: adds to the lower directory.
    init(
        _ form: LowerForm,
        in workspace: Workspace,
        uppers: String? = nil,
        options: [String] = [],
        prepare: (String) throws -> Void = { _ in }
    ) throws {
        lowerDirectory = try workspace.directory("lower")
        for directory in ["full", "full/sub", "empty", "other"] {
            _ = try workspace.directory("lower/\(directory)")
        }
        try SmallTree.write("lower file\n", to: "\(lowerDirectory)/file")
        try SmallTree.write("one of two names\n", to: "\(lowerDirectory)/name")
        try Errno.check(link("\(lowerDirectory)/name", "\(lowerDirectory)/other/name"))
        try SmallTree.write("below\n", to: "\(lowerDirectory)/full/below")
        try SmallTree.write("deep\n", to: "\(lowerDirectory)/full/sub/deep")
        try SmallTree.write(
            String(repeating: "0123456789", count: SmallTree.large / 10),
            to: "\(lowerDirectory)/large"
        )
        try Errno.check(mkfifo("\(lowerDirectory)/fifo", 0o600))
        try Errno.check(mknod("\(lowerDirectory)/null", S_IFCHR | 0o600, device(1, 3)))
        try Errno.check(symlink("file", "\(lowerDirectory)/link"))
        try prepare(lowerDirectory)
        mount = try LayeredMount(
            Lower(lowerDirectory, as: form, in: workspace),
            in: workspace,
            uppers: uppers,
            options: options
        )
    }

    static func write(_ text: String, to path: String) throws {
        let file = try OwnedFD.open(FilePath(path), O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644)
        try file.writeAll(Array(text.utf8))
    }

    /// Changes a part of a file.
    static func patch(_ path: String, _ text: String, at offset: UInt64) throws {
        let file = try naming("open \(path)") { try OwnedFD.open(FilePath(path), O_RDWR) }
        try Array(text.utf8).withUnsafeBytes { try file.writeAll($0, at: offset) }
    }

    func path(_ name: String) -> String { "\(mount.path)/\(name)" }

    func open(_ name: String, _ flags: CInt) throws -> OwnedFD {
        try naming("open \(name)") { try OwnedFD.open(FilePath(path(name)), flags, mode: 0o644) }
    }

    func read(_ name: String) throws -> String { try SmallTree.read(path(name)) }

    static func read(_ path: String) throws -> String {
        let bytes = try naming("read \(path)") {
            try OwnedFD.open(FilePath(path), O_RDONLY).contents(limit: 2 * SmallTree.large)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    func write(_ text: String, to name: String) throws { try SmallTree.write(text, to: path(name)) }

    func status(_ name: String) throws -> FileStatus {
        try naming("stat \(name)") { try FilePath(path(name)).status() }
    }

    func exists(_ name: String) -> Bool { FilePath(path(name)).exists }

    func names(_ name: String) throws -> [String] {
        try FilePath(path(name)).names().map { String(decoding: $0, as: UTF8.self) }.sorted()
    }

    /// nil where it went well. Flags: RENAME_NOREPLACE 1, RENAME_EXCHANGE 2.
    func rename(_ old: String, _ new: String, flags: UInt32 = 0) -> Errno? {
        let result = clinux_renameat2(AT_FDCWD, path(old), AT_FDCWD, path(new), flags)
        return result == 0 ? nil : Errno(rawValue: -result)
    }
}
