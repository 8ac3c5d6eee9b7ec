import Glibc
import Linux
import SystemPackage

extension UnionTree {
    /// Finishes what a crash interrupted, and finds the directories that were renamed.
    func recover(_ upper: Upper) throws(FSError) {
        names.lock()
        defer { names.unlock() }
        let marked = try FSError.wrap { () throws(Errno) in
            try upper.root.attribute(upper.marks.hasRedirects, of: root.name) != nil
        }
        if marked || upper.mayHaveRedirects {
            // Of an upper that another overlay has written to it is not known whether it has any.
            if marked { try noteMarksLocked() }
            try noteRedirects(upper)
            try findRedirects(in: root)
        }

        try takeKernelIndex(upper)
        let pending = try FSError.wrap { () throws(Errno) in try upper.links.names() }
        for bytes in pending {
            let name = FileName(bytes)
            guard let mark = Upper.mark(ofPending: name), let number = try lower.number(marked: mark) else {
                throw .system(.invalidArgument)
            }
            var places: [(node: Node, name: FileName)] = []
            for (directory, name) in try visibleNames(of: number) {
                places.append((try upperDirectory(NodeID.lower(directory)), name))
            }
            try putLinks(name, places, upper)
            for (parent, name) in places { try set(name, .entry, in: parent) }
        }
    }

    /// Gives every renamed directory its node, which stays: a lower file's other names may be below it, and
    /// nothing but the redirect says where that is now.
    private func findRedirects(in directory: Node) throws(FSError) {
        let listing = try listing(of: directory)
        var subdirectories: [FileName] = []
        let fd = try self.directory(directory)
        listing.forEachEntry(from: 0) { name, _ in
            if let status = try? fd.fd.status(of: name), status.st_mode & S_IFMT == S_IFDIR {
                subdirectories.append(name)
            }
            return true
        }
        for name in subdirectories {
            let child = try node(name, in: directory)
            child.isPinned = true
            try findRedirects(in: child)
        }
    }

    /// Before there is a redirect. Preconditions: `names` is locked.
    func markRedirects(_ upper: Upper) throws(FSError) {
        try noteMarksLocked()
        try noteRedirects(upper)
    }

    /// Records that `recover` must look for redirects.
    private func noteRedirects(_ upper: Upper) throws(FSError) {
        try FSError.wrap { () throws(Errno) in
            try root.keepingStatus(of: root.name, in: upper.root) { () throws(Errno) in
                try upper.root.setAttribute(upper.marks.hasRedirects, of: root.name, to: [UInt8(ascii: "y")])
            }
        }
    }
}
