package import SystemPackage

import Glibc
import Linux

/// A directory that is this user's alone, and that no other user can put another one in the place of.
package enum PrivateDirectory {
    private static let forOthers: mode_t = 0o077

    /// Its real path; made where it is missing. failedPrecondition where others may look into it, or write to a directory
    /// above it that is not sticky.
    package static func claimed(_ path: FilePath) throws -> FilePath {
        try naming("create \(path)") { try path.makeDirectories(mode: 0o700) }
        guard let known = path.withPlatformString({ realpath($0, nil) }) else {
            throw Failure("open \(path)", .last)
        }
        defer { free(known) }
        let real = FilePath(platformString: known)
        let status = try naming("look at \(real)") { try real.status() }
        guard status.st_mode & S_IFMT == S_IFDIR else { throw Failure("open \(real)", .notDirectory) }
        guard status.st_uid == geteuid(), status.st_mode & forOthers == 0 else {
            let mode = String(status.st_mode & 0o7777, radix: 8)
            throw Failure(
                "\(real) belongs to user \(status.st_uid) and has mode \(mode): what is in it must be for this user alone",
                advice: "Choose another directory, or close this one: chmod 700 \(real)",
                kind: .failedPrecondition
            )
        }
        try check(above: real)
        return real
    }

    private static func check(above path: FilePath) throws {
        // In a user namespace the machine's root is the user that every unmapped id is shown as. No process is safe from the
        // owner of `/`.
        let owners = [0, geteuid(), try naming("look at /") { try FilePath("/").status().st_uid }]
        var place = path
        while place.removeLastComponent() {
            let status = try naming("look at \(place)") { try place.status() }
            let others = status.st_mode & S_IWOTH != 0
            let group = status.st_mode & S_IWGRP != 0 && ![0, getegid()].contains(status.st_gid)
            let isOwned = owners.contains(status.st_uid)
            guard !isOwned || (others || group) && status.st_mode & S_ISVTX == 0 else { continue }
            throw Failure(
                "\(path) is below \(place), where others can put something else in its place",
                advice: "Choose another directory, or take that right away: chmod go-w \(place)",
                kind: .failedPrecondition
            )
        }
    }
}
