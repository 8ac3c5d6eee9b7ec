import Foundation
import Glibc
import Linux
import SystemPackage
import Testing

import Union

extension Fixture {
    /// What the layers are made as.
    enum Form: CaseIterable { case chain, directories }

    /// Of new fixtures.
    @TaskLocal static var form = Form.chain

    /// Runs every test once for each form.
    struct InBothForms: SuiteTrait, TestTrait, TestScoping {
        var isRecursive: Bool { true }

        func provideScope(
            for test: Test,
            testCase: Test.Case?,
            performing run: @Sendable () async throws -> Void
        ) async throws {
            for form in Form.allCases {
                try await Fixture.$form.withValue(form) { try await run() }
            }
        }
    }

    /// Writes a layer as the kernel's overlayfs would have it. Attributes of a nested overlay are escaped.
    static func write(
        _ items: [String: Item],
        to directory: FilePath,
        xattrs: [String: [UInt8]]
    ) throws {
        var shared: [String: FilePath] = [:]
        try write(items, to: directory, xattrs, &shared)
    }

    private static func write(
        _ items: [String: Item],
        to directory: FilePath,
        _ xattrs: [String: [UInt8]],
        _ shared: inout [String: FilePath]
    ) throws {
        try directory.makeDirectory()
        func regular(_ path: FilePath, _ contents: String, _ mode: UInt32) throws {
            try OwnedFD.open(path, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600).writeAll(Array(contents.utf8))
            for (name, value) in xattrs { try Xattr.set(escaped(name), value, at: path) }
            try Errno.check(path.withPlatformString { chmod($0, mode) })
            try setTime(path, 123_456_789)
        }
        for (name, item) in items {
            let path = directory.appending(name)
            switch item {
            case .file(let contents, let mode): try regular(path, contents, mode)
            case .shared(let key, let contents):
                if let other = shared[key] {
                    try Errno.check(
                        other.withPlatformString { old in path.withPlatformString { Glibc.link(old, $0) } }
                    )
                } else {
                    try regular(path, contents, 0o644)
                    shared[key] = path
                }
            case .symlink(let target):
                try Errno.check(path.withPlatformString { Glibc.symlink(target, $0) })
            case .device(let number):
                try Errno.check(path.withPlatformString { mknod($0, S_IFCHR | 0o600, dev_t(number)) })
            case .whiteout: try Errno.check(path.withPlatformString { mknod($0, S_IFCHR, 0) })
            case .directory(let items, let isOpaque, _, let mode):
                try write(items, to: path, xattrs, &shared)
                try Errno.check(path.withPlatformString { chmod($0, mode) })
                if isOpaque { try Xattr.set("trusted.overlay.opaque", [UInt8(ascii: "y")], at: path) }
            }
        }
        try setTime(directory, 0)
    }

    private static func setTime(_ path: FilePath, _ nanoseconds: Int) throws {
        let time = timespec(tv_sec: 1_000_000_000, tv_nsec: nanoseconds)
        try Errno.check(
            path.withPlatformString { utimensat(AT_FDCWD, $0, [time, time], AT_SYMLINK_NOFOLLOW) }
        )
    }

    private static func escaped(_ name: String) -> XattrName {
        let prefix: XattrName = "trusted.overlay."
        let name = XattrName(name)
        return name.dropping(prefix).map { prefix + "overlay." + $0 } ?? name
    }
}
