import Linux
import SystemPackage

import CLinux
import Glibc

// What there is, compared with the model.
extension NameRunner {
    /// nil where all that lstat(2) says is as in the model.
    static func compare(_ status: FileStatus, _ node: ModelNode) -> String? {
        if status.st_mode != node.type | node.mode {
            return "mode \(String(status.st_mode, radix: 8)), not \(String(node.type | node.mode, radix: 8))"
        }
        if status.st_uid != node.uid || status.st_gid != node.gid {
            return "owner \(status.st_uid):\(status.st_gid), not \(node.uid):\(node.gid)"
        }
        if Int(status.st_nlink) != node.links { return "st_nlink \(status.st_nlink), not \(node.links)" }
        if let time = node.time, status.st_mtim.tv_sec != time {
            return "mtime \(status.st_mtim.tv_sec), not \(time)"
        }
        switch node.kind {
        case .file where Int(status.st_size) != "\(node.tag)".utf8.count: return "st_size \(status.st_size)"
        case .symlink where Int(status.st_size) != "no/where/\(node.tag)".utf8.count:
            return "st_size \(status.st_size)"
        default: break
        }
        if let inode = node.inode, inode != UInt64(status.st_ino) {
            return "st_ino \(status.st_ino), was \(inode)"
        }
        node.inode = UInt64(status.st_ino)
        return nil
    }

    static func compareContent(_ fd: CInt, _ node: ModelNode) -> String? {
        var buffer = [UInt8](repeating: 0, count: 64)
        let count = pread(fd, &buffer, buffer.count, 0)
        guard count >= 0 else { return "read: \(Errno.last)" }
        let text = String(decoding: buffer.prefix(count), as: UTF8.self)
        return text == "\(node.tag)" ? nil : "content \(text), not \(node.tag)"
    }

    func compareStatus(_ name: NameOperation.Name) -> String? {
        var status = FileStatus()
        let found = lstat(path(name), &status) == 0 ? nil : Errno.last
        do throws(Errno) {
            let node = try model.find(name)
            if let found { return "lstat: \(found)" }
            return NameRunner.compare(status, node) ?? compareRest(name, node)
        } catch {
            return found == error ? nil : "lstat: \(found.map { "\($0)" } ?? "success"), not \(error)"
        }
    }

    private func compareRest(_ name: NameOperation.Name, _ node: ModelNode) -> String? {
        var buffer = [UInt8](repeating: 0, count: 64)
        let size = lgetxattr(path(name), "trusted.tag", &buffer, buffer.count)
        if size == -1, Errno.last != .noData { return "getxattr: \(Errno.last)" }
        let value = size == -1 ? nil : String(decoding: buffer.prefix(size), as: UTF8.self)
        if value != node.xattr.map({ "\($0)" }) {
            return "xattr \(value ?? "missing"), not \(node.xattr ?? -1)"
        }
        switch node.kind {
        case .directory, .fifo: return nil
        case .symlink:
            var target = [CChar](repeating: 0, count: 64)
            guard readlink(path(name), &target, 63) >= 0 else { return "readlink: \(Errno.last)" }
            let text = target.withUnsafeBytes { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            return text == "no/where/\(node.tag)" ? nil : "target \(text), not no/where/\(node.tag)"
        case .file:
            let fd = open(path(name), O_RDONLY | O_CLOEXEC)
            guard fd >= 0 else { return "open: \(Errno.last)" }
            defer { close(fd) }
            return NameRunner.compareContent(fd, node)
        }
    }

    /// Names, kinds and d_ino of one directory.
    func compareListing(_ name: NameOperation.Name) -> String? {
        guard let node = try? model.find(name), node.isDirectory else { return nil }
        guard let stream = opendir(path(name)) else { return "opendir: \(Errno.last)" }
        defer { closedir(stream) }
        var left = node.children
        var dots = 0
        errno = 0
        while let entry = readdir(stream) {
            let child = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if child == "." || child == ".." {
                dots += 1
                continue
            }
            guard let expected = left.removeValue(forKey: child) else { return "\(child) is listed" }
            if UInt32(entry.pointee.d_type) << 12 != expected.type {
                return "\(child): d_type \(entry.pointee.d_type)"
            }
            if let inode = expected.inode, inode != UInt64(entry.pointee.d_ino) {
                return "\(child): d_ino \(entry.pointee.d_ino), not \(inode)"
            }
            errno = 0
        }
        if errno != 0 { return "readdir: \(Errno.last)" }
        if dots != 2 { return "\(dots) of . and .." }
        return left.isEmpty ? nil : "\(left.keys.sorted()) not listed"
    }

    /// The whole tree; and no two files may have one number.
    func compareAll() -> String? {
        var numbers: [UInt64: ModelNode] = [:]
        return compareAll([], model.root, &numbers)
    }

    private func compareAll(
        _ name: NameOperation.Name,
        _ node: ModelNode,
        _ numbers: inout [UInt64: ModelNode]
    ) -> String? {
        if let problem = compareStatus(name) ?? compareListing(name) {
            return "\(name.joined(separator: "/")): \(problem)"
        }
        if let inode = node.inode {
            if let other = numbers[inode], other !== node {
                return "\(name.joined(separator: "/")): st_ino \(inode) twice"
            }
            numbers[inode] = node
        }
        for (child, below) in node.children.sorted(by: { $0.key < $1.key }) {
            if let problem = compareAll(name + [child], below, &numbers) { return problem }
        }
        return nil
    }
}
