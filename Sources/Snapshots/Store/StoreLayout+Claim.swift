import Layers
import Linux
import SystemPackage

import Glibc

/// Whose a store is. Environments of containers, what they printed, images with set-id programs: all of it is for the
/// store's owner alone, and what the owner does must not depend on what others put in the way.
extension StoreLayout {
    private static let directories = [
        "tmp", "layers", "objects", "chains", "snapshots", "containers", "mounts", "lost",
        "arrivals", "blobs",
    ]
    private static let files = [
        "mica.db", "mica.db-wal", "mica.db-shm", "mica.db-journal", "lock", "generation", "reserve",
        "micad.lock", "seccomp",
    ]
    /// In the root of a filesystem that is there for the store.
    private static let ofFilesystems = ["lost+found"]
    private static let forOthers: mode_t = 0o077

    /// The same store by its real path, made where there is none, after a look at who else could read or replace it.
    ///
    /// What is the store's own and open to others is closed. Failure (failedPrecondition) where it is another user's,
    /// where others may write to a directory above, and where the directory has something else in it: then it is
    /// neither a store nor to become one.
    ///
    /// A few stat(2) calls where all is well: each command begins with this.
    func claimed() throws -> StoreLayout {
        guard var path = StoreLayout.real(root) else {
            let errno = Errno.last
            guard errno == .noSuchFileOrDirectory else { throw Failure("open the store \(root)", errno) }
            return try made()
        }
        try StoreLayout.checkDirectories(above: &path)
        let layout = StoreLayout(root: FilePath(platformString: path))
        let status = try naming("open the store \(root)") { try layout.root.status() }
        try layout.check(status)
        var database = FileStatus()
        let isMade = layout.database.withPlatformString { lstat($0, &database) } == 0
        guard isMade, (status.st_mode | database.st_mode) & StoreLayout.forOthers == 0 else {
            try layout.close(status)
            if !isMade { try layout.begin() }
            return layout
        }
        return layout
    }

    /// A new one. A process that is faster makes the same.
    private func made() throws -> StoreLayout {
        guard !root.exists else { throw Failure("the store \(root) is a symbolic link to what is not there") }
        var parent = root
        while parent.removeLastComponent() {
            guard var path = StoreLayout.real(parent.isEmpty ? "." : parent) else { continue }
            // With a name below, so that this one is among those above it.
            path.insert(contentsOf: [CChar(bitPattern: 0x2f), CChar(bitPattern: 0x78)], at: path.count - 1)
            try StoreLayout.checkDirectories(above: &path)
            break
        }
        try begin()
        guard let path = StoreLayout.real(root) else { throw Failure("create \(root)", .last) }
        let layout = StoreLayout(root: FilePath(platformString: path))
        try layout.check(try naming("open the store \(root)") { try layout.root.status() })
        return layout
    }

    private func begin() throws {
        try prepare()
        // SQLite would make it for all to read. Not by open(2): to close a database takes this process's locks away.
        let result = database.withPlatformString { mknod($0, S_IFREG | 0o600, 0) }
        if result == -1, Errno.last != .fileExists { throw Failure("create \(database)", .last) }
    }

    private func check(_ status: FileStatus) throws {
        guard status.st_mode & S_IFMT == S_IFDIR else {
            throw Failure("open the store \(root)", .notDirectory)
        }
        guard status.st_uid == geteuid() else {
            throw Failure(
                "the store \(root) belongs to user \(status.st_uid), and this is user \(geteuid())",
                advice: "Run mica as that user, or name a store of your own: --root DIR or $MICA_ROOT.",
                kind: .failedPrecondition
            )
        }
    }

    /// Takes from other users what they may do with the root and what is directly in it. They do not get below.
    private func close(_ status: FileStatus) throws {
        let names = try naming("read \(root)") { try root.names() }.map {
            String(decoding: $0, as: UTF8.self)
        }
        let isStore = names.contains("mica.db")
        let isOpen = status.st_mode & StoreLayout.forOthers != 0
        let known = Set(StoreLayout.directories + StoreLayout.files + StoreLayout.ofFilesystems)
        if isOpen || !isStore, let other = names.sorted().first(where: { !known.contains($0) }) {
            throw isStore ? sharedFailure(status, with: other) : foreignFailure(other)
        }
        // Open to every user on purpose, such as /tmp, even where it is empty.
        guard status.st_mode & S_ISVTX == 0 else { throw sharedFailure(status, with: nil) }
        for name in names where !StoreLayout.ofFilesystems.contains(name) {
            try close(root.appending(name), isDirectory: StoreLayout.directories.contains(name))
        }
        try naming("close the store \(root) to others (chmod 700)") {
            _ = try Errno.check(root.withPlatformString { chmod($0, 0o700) })
        }
    }

    private func close(_ path: FilePath, isDirectory: Bool) throws {
        let status: FileStatus
        do {
            status = try path.status()
        } catch .noSuchFileOrDirectory {
            return  // SQLite's come and go
        } catch {
            throw Failure("open the store \(root): \(path)", error)
        }
        // While it was open others may have put it there.
        guard status.st_uid == geteuid(), status.st_mode & S_IFMT == (isDirectory ? S_IFDIR : S_IFREG) else {
            throw Failure(
                "the store \(root) was open to others, and \(path) is not what mica made there",
                advice: "Look at what it is, and remove it if it is not needed.",
                kind: .failedPrecondition
            )
        }
        guard status.st_mode & StoreLayout.forOthers != 0 else { return }
        try naming("close \(path) to others") {
            _ = try Errno.check(path.withPlatformString { chmod($0, isDirectory ? 0o700 : 0o600) })
        }
    }

    private func foreignFailure(_ other: String) -> Failure {
        Failure(
            "\(root) is not a store, and not empty: there is \(other)",
            advice:
                "Name an empty directory or one that is not there yet, such as \(root.appending("mica")).",
            kind: .failedPrecondition
        )
    }

    private func sharedFailure(_ status: FileStatus, with other: String?) -> Failure {
        let mode = String(status.st_mode & 0o7777, radix: 8)
        return Failure(
            "the store \(root) is open to others (mode \(mode))"
                + (other.map { " and not only a store: there is \($0)" } ?? ""),
            advice:
                "A store is its owner's alone. Choose a directory of its own, or close this one: chmod 700 \(root)",
            kind: .failedPrecondition
        )
    }

    /// realpath(3), terminated. A path that no link can lead elsewhere later; nil, and errno.
    private static func real(_ path: FilePath) -> [CChar]? {
        guard let resolved = path.withPlatformString({ realpath($0, nil) }) else { return nil }
        defer { free(resolved) }
        return Array(UnsafeBufferPointer(start: resolved, count: strlen(resolved) + 1))
    }

    /// Who may write to a directory can put another one in the place of what is in it, unless it is sticky. The
    /// group is the owner's own where it is that of this process.
    ///
    /// `path` is absolute, without links, terminated; as it was afterwards.
    private static func checkDirectories(above path: inout [CChar]) throws {
        let slash = CChar(bitPattern: UInt8(ascii: "/"))
        for place in path.indices where path[place] == slash {
            let cut = max(place, 1)
            let next = path[cut]
            guard next != 0 else { return }
            path[cut] = 0
            defer { path[cut] = next }
            var status = FileStatus()
            try naming("look at \(String(platformString: path))") { _ = try Errno.check(stat(path, &status)) }
            let others = status.st_mode & S_IWOTH != 0
            let group = status.st_mode & S_IWGRP != 0 && ![0, getegid()].contains(status.st_gid)
            guard others || group, status.st_mode & S_ISVTX == 0 else { continue }
            throw Failure(
                "the store would be below \(String(platformString: path)), where \(others ? "anybody" : "group \(status.st_gid)")"
                    + " can put something else in its place (mode \(String(status.st_mode & 0o7777, radix: 8)))",
                advice:
                    "Choose another directory, or take that right away: chmod go-w \(String(platformString: path))",
                kind: .failedPrecondition
            )
        }
    }
}
