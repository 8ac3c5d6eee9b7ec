package import Linux
package import Nodes
import Overlay

import CLinux
import Glibc
import SystemPackage

extension UnionTree {
    /// chmod, chown, truncate and utimensat in one. Copies the file up first, with no more of the data than stays.
    package func change(_ id: UInt64, _ change: AttributeChange) throws(FSError) -> Attributes {
        var needed = change.size.map(NeededData.first) ?? .none
        // Copying the data later would drop these bits.
        if let mode = change.mode, try writable().losesSetID(mode) { needed = .all }
        let node = try copyUp(id, data: needed)
        if let size = change.size {
            let file = try open(node)
            if change.killsPrivileges { try killPrivileges(file) }
            if case .partial(let data) = node.data {
                try partial(node, data, file).truncate(to: size)
            } else {
                try FSError.wrap { () throws(Errno) in try file.fd.truncate(to: size) }
            }
        }
        var filled: PartialData?
        if case .partial(let data) = node.data { filled = data }
        // A thread that fills holes sets the times back to what they were.
        filled?.lock.share()
        defer { filled?.lock.unlock() }
        let held = names.lock()
        defer { names.unlock() }
        // The open descriptor of a directory is O_PATH, by which a mode is changed no faster.
        let (directory, name) = try node.isDirectory ? location(held, of: node) : nearest(held, node)
        try FSError.wrap { () throws(Errno) in
            if change.uid != nil || change.gid != nil {
                try directory.fd.changeOwner(name, uid: change.uid ?? .max, gid: change.gid ?? .max)
            }
            if let mode = change.mode { try directory.fd.changeMode(name, mode) }
            if change.atime != nil || change.mtime != nil {
                try directory.fd.changeTimes(
                    name,
                    access: timespec(change.atime),
                    modification: timespec(change.mtime)
                )
            }
        }
        node.noteChange()
        if let ctime = change.ctime, let status = try? directory.fd.status(of: name) {
            node.preserveStatus(ctime, status)
        }
        return try attributes(held, of: node)
    }

    // MARK: - Extended attributes

    /// The value of an attribute; nil where there is none.
    package func xattr(_ name: XattrName, of id: UInt64) throws(FSError) -> [UInt8]? {
        guard let node = table.find(id) else {
            var found: [UInt8]?
            let wanted = name.bytes
            try lower.forEachXattr(of: lowerInode(id)) { (name, value) throws(FSError) in
                guard name.elementsEqual(wanted) else { return true }
                found = [UInt8](value)
                return false
            }
            return found
        }
        let held = names.lock()
        defer { names.unlock() }
        // The kernel asks for the capability before a first write and before each chown.
        if name == Upper.capability, node.hasNoCapability { return nil }
        let (directory, file) = try location(held, of: node)
        let stored = storedName(name)
        let value = try FSError.wrap { () throws(Errno) in
            try directory.fd.wholeAttribute(stored, of: file)
        }
        if name == Upper.capability { node.hasNoCapability = value == nil }
        return value
    }

    /// Names of all attributes but the union's own.
    package func xattrs(of id: UInt64) throws(FSError) -> [XattrName] {
        guard let node = table.find(id) else {
            var names: [XattrName] = []
            try lower.forEachXattr(of: lowerInode(id)) { (name, _) throws(FSError) in
                names.append(XattrName(name))
                return true
            }
            return names
        }
        let held = names.lock()
        defer { names.unlock() }
        let (directory, file) = try location(held, of: node)
        let names = try FSError.wrap { () throws(Errno) in try directory.fd.attributes(of: file) }
        return names.compactMap { upper?.marks.visible($0, isDevice: node.isWhiteoutData) }
    }

    /// lsetxattr(2) with its flags. `clearsSetGroupID`: a process that is not in the file's group sets an ACL.
    package func setXattr(
        _ name: XattrName,
        of id: UInt64,
        to value: UnsafeRawBufferPointer,
        flags: CInt,
        clearsSetGroupID: Bool = false
    ) throws(FSError) {
        let node = try copyUp(id, data: name == Upper.capability ? .all : .none)
        try withFile(node) { (directory, file) throws(Errno) in
            if name == Upper.capability { node.hasNoCapability = false }
            try directory.fd.setAttribute(storedName(name), of: file, to: value, flags: flags)
            node.noteChange()
        }
        guard clearsSetGroupID else { return }
        let held = names.lock()
        defer { names.unlock() }
        let (directory, file) = try location(held, of: node)
        try FSError.wrap { () throws(Errno) in
            let mode = try directory.fd.status(of: file).st_mode
            if mode & S_ISGID != 0 { try directory.fd.changeMode(file, mode & ~S_ISGID) }
        }
    }

    /// ENODATA where there is no such attribute.
    package func removeXattr(_ name: XattrName, of id: UInt64) throws(FSError) {
        let node = try copyUp(id, data: .none)
        try withFile(node) { (directory, file) throws(Errno) in
            try directory.fd.removeAttribute(storedName(name), of: file)
            node.noteChange()
        }
    }

    private func storedName(_ name: XattrName) -> XattrName { upper?.marks.stored(name) ?? name }

    private func withFile(
        _ node: Node,
        _ body: (OpenFile, FileName) throws(Errno) -> Void
    ) throws(FSError) {
        let held = names.lock()
        defer { names.unlock() }
        let (directory, file) = try location(held, of: node)
        try FSError.wrap { () throws(Errno) in try body(directory, file) }
    }
}

extension timespec {
    /// utimensat(2)'s form: nil leaves the time alone.
    fileprivate init(_ time: AttributeChange.Time?) {
        switch time {
        case nil: self.init(tv_sec: 0, tv_nsec: UTIME_OMIT)
        case .now: self.init(tv_sec: 0, tv_nsec: UTIME_NOW)
        case .at(let seconds, let nanoseconds): self.init(tv_sec: Int(seconds), tv_nsec: Int(nanoseconds))
        }
    }
}
