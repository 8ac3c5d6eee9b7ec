import Linux
import MountFixtures
import SystemPackage

import CLinux
import Glibc

/// Does operations on the names below one directory and on the model, and compares what comes back.
final class NameRunner {
    private let directory: String
    private let remount: () throws -> Void
    let model: NameModel
    private var slots: [(fd: CInt, node: ModelNode)?] = Array(repeating: nil, count: NameOperations.slots)

    /// - Parameter remount: called with nothing open.
    init(_ directory: String, _ model: NameModel, remount: @escaping () throws -> Void) {
        (self.directory, self.model, self.remount) = (directory, model, remount)
    }

    deinit { closeAll() }

    func closeAll() {
        for slot in slots.indices { close(slot) }
    }

    private func close(_ slot: Int) {
        if let open = slots[slot] { Glibc.close(open.fd) }
        slots[slot] = nil
    }

    /// nil when everything was as in the model, to the end and, where it is `isFinal`, in the end.
    func run(_ operations: [NameOperation], isFinal: Bool = true) throws -> Difference? {
        for (number, operation) in operations.enumerated() {
            if let problem = try perform(operation) {
                return Difference(count: number + 1, description: "\(operation): \(problem)")
            }
        }
        guard isFinal, let problem = compareAll() else { return nil }
        return Difference(count: operations.count, description: "in the end, \(problem)")
    }

    private func perform(_ operation: NameOperation) throws -> String? {
        switch operation {
        case .create, .makeDirectory, .symlink, .makeFIFO, .link, .unlink, .removeDirectory, .rename:
            return compare(
                result { () throws(Errno) in try change(operation) },
                result { () throws(Errno) in
                    try model.apply(operation)
                }
            )
        case .chmod, .chown, .setTime, .setXattr, .removeXattr, .write:
            return compare(
                result { () throws(Errno) in try changeAttribute(operation) },
                result { () throws(Errno) in
                    try model.apply(operation)
                }
            )
        case .open(let slot, let name): return open(slot, name)
        case .close(let slot): close(slot)
        case .statOpen, .writeOpen, .chmodOpen, .linkOpen, .synchronizeOpen: return useOpen(operation)
        case .stat(let name): return compareStatus(name)
        case .list(let name): return compareListing(name)
        case .checkAll: return compareAll()
        case .remount:
            closeAll()
            try remount()
        }
        return nil
    }

    private func result(_ body: () throws(Errno) -> Void) -> Errno? {
        do throws(Errno) {
            try body()
            return nil
        } catch {
            return error
        }
    }

    private func compare(_ found: Errno?, _ expected: Errno?) -> String? {
        found == expected
            ? nil : "\(found.map { "\($0)" } ?? "success"), not \(expected.map { "\($0)" } ?? "success")"
    }

    func path(_ name: NameOperation.Name) -> String { ([directory] + name).joined(separator: "/") }

    // MARK: - Names

    private func change(_ operation: NameOperation) throws(Errno) {
        switch operation {
        case .create(let name, let tag):
            let fd = try Errno.check(
                Glibc.open(path(name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
            )
            defer { Glibc.close(fd) }
            try NameRunner.write(tag, to: fd)
        case .makeDirectory(let name): try Errno.check(mkdir(path(name), 0o700))
        case .symlink(let name, let tag): try Errno.check(Glibc.symlink("no/where/\(tag)", path(name)))
        case .makeFIFO(let name): try Errno.check(mkfifo(path(name), 0o600))
        case .link(let old, let new): try Errno.check(Glibc.link(path(old), path(new)))
        case .unlink(let name): try Errno.check(Glibc.unlink(path(name)))
        case .removeDirectory(let name): try Errno.check(rmdir(path(name)))
        case .rename(let old, let new, let flags):
            let result = clinux_renameat2(AT_FDCWD, path(old), AT_FDCWD, path(new), flags)
            guard result == 0 else { throw Errno(rawValue: -result) }
        default: break
        }
    }

    // MARK: - Attributes

    private func changeAttribute(_ operation: NameOperation) throws(Errno) {
        switch operation {
        case .chmod(let name, let mode): try Errno.check(Glibc.chmod(path(name), mode))
        case .chown(let name, let uid, let gid): try Errno.check(lchown(path(name), uid, gid))
        case .setTime(let name, let seconds):
            let time = timespec(tv_sec: seconds, tv_nsec: seconds % 1_000_000_007 % 1_000_000_000)
            try Errno.check(utimensat(AT_FDCWD, path(name), [time, time], AT_SYMLINK_NOFOLLOW))
        case .setXattr(let name, let tag):
            let value = Array("\(tag)".utf8)
            try Errno.check(lsetxattr(path(name), "trusted.tag", value, value.count, 0))
        case .removeXattr(let name): try Errno.check(lremovexattr(path(name), "trusted.tag"))
        case .write(let name, let tag):
            // A FIFO without a reader is not waited for.
            let fd = try Errno.check(Glibc.open(path(name), O_WRONLY | O_NONBLOCK | O_CLOEXEC))
            defer { Glibc.close(fd) }
            try NameRunner.write(tag, to: fd)
        default: break
        }
    }

    // MARK: - Open descriptors

    private func open(_ slot: Int, _ name: NameOperation.Name) -> String? {
        close(slot)
        guard let node = try? model.find(name), node.kind == .file || node.isDirectory else { return nil }
        let fd = Glibc.open(path(name), (node.isDirectory ? O_RDONLY : O_RDWR) | O_CLOEXEC)
        guard fd >= 0 else { return "open: \(Errno.last)" }
        slots[slot] = (fd, node)
        return nil
    }

    private func useOpen(_ operation: NameOperation) -> String? {
        switch operation {
        case .statOpen(let slot):
            guard let (fd, node) = slots[slot] else { return nil }
            var status = FileStatus()
            guard fstat(fd, &status) == 0 else { return "fstat: \(Errno.last)" }
            return NameRunner.compare(status, node)
                ?? (node.kind == .file ? NameRunner.compareContent(fd, node) : nil)
        case .writeOpen(let slot, let tag):
            guard let (fd, node) = slots[slot], node.kind == .file else { return nil }
            node.tag = tag
            node.time = nil
            return compare(result { () throws(Errno) in try NameRunner.write(tag, to: fd) }, nil)
        case .chmodOpen(let slot, let mode):
            guard let (fd, node) = slots[slot] else { return nil }
            node.mode = mode
            return compare(fchmod(fd, mode) == 0 ? nil : .last, nil)
        case .linkOpen(let slot, let name):
            guard let (fd, node) = slots[slot] else { return nil }
            let source = "/proc/self/fd/\(fd)"
            let found =
                linkat(AT_FDCWD, source, AT_FDCWD, path(name), AT_SYMLINK_FOLLOW) == 0 ? nil : Errno.last
            return compare(found, result { () throws(Errno) in try model.link(node, name) })
        case .synchronizeOpen(let slot):
            guard let (fd, _) = slots[slot] else { return nil }
            return compare(fsync(fd) == 0 ? nil : .last, nil)
        default: return nil
        }
    }

    /// The tag and nothing else.
    private static func write(_ tag: Int, to fd: CInt) throws(Errno) {
        let text = Array("\(tag)".utf8)
        try Errno.check(pwrite(fd, text, text.count, 0))
        try Errno.check(ftruncate(fd, text.count))
    }
}
