import Foundation
import Linux
import Scratch
import SystemPackage

import Glibc

/// A private directory. Whatever is mounted below it is unmounted, and it is removed, when the last reference
/// goes: also after a failure.
package final class Workspace: Sendable {
    package let path: String

    /// - Parameter parent: where it is made.
    package init(in parent: String = "/tmp") throws {
        var template = Array("\(Scratch.prefix("conformance", in: parent))XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Failure("create a directory in \(parent)", .last) }
        path = template.withUnsafeBytes { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    /// A new directory in here.
    package func directory(_ name: String) throws -> String {
        let directory = FilePath("\(path)/\(name)")
        try naming("create \(directory)") { try directory.makeDirectories() }
        return directory.string
    }

    deinit {
        // Not by Foundation, which gives up on a long one.
        let bytes = try? OwnedFD.open("/proc/self/mountinfo", O_RDONLY).contents(limit: 1 << 26)
        let table = String(decoding: bytes ?? [], as: UTF8.self)
        let below = table.split(separator: "\n").compactMap { line -> Substring? in
            let fields = line.split(separator: " ")
            return fields.count > 4 && fields[4].hasPrefix(path) ? fields[4] : nil
        }
        for mountpoint in below.reversed() { umount2(String(mountpoint), CInt(MNT_DETACH)) }
        try? FilePath(path).removeTree()
    }
}
