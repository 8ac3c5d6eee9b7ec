import Glibc
import Linux
import Overlay
import SystemPackage

extension UnionTree {
    /// Finishes what a crash interrupted.
    func recover(_ upper: Upper) throws(FSError) {
        let held = names.lock()
        defer { names.unlock() }
        let marked = try FSError.wrap { () throws(Errno) in try upper.hasNotedRedirects() }
        if marked || upper.mayHaveRedirects {
            // Whether an upper that another overlay has written to has marks is unknown.
            if marked { try noteMarks(held) }
            try noteRedirects(held, upper)
            hasUnknownRedirects = true
        }

        try upper.takeKernelIndex { (handle) throws(FSError) in
            try lower.number(of: handle).map { (number) throws(FSError) in try lower.mark(of: number) }
        }
        for (name, mark) in try FSError.wrap({ () throws(Errno) in try upper.pendingLinks() }) {
            guard let number = try lower.number(marked: mark) else {
                throw .system(.invalidArgument)
            }
            var places: [(node: Node, name: FileName)] = []
            for (directory, name) in try visibleNames(held, of: number) {
                places.append((try upperDirectory(held, NodeID.lower(directory)), name))
            }
            do throws(FSError) {
                try putLinks(held, name, places, upper)
            } catch {
                // Without room for the links the mount is all the more needed, to delete something. The next mount
                // finishes them.
                guard error.isLackOfRoom else { throw error }
                try keepTogether(held, number)
                report("not all names of a changed file are in place yet: \(Errno(rawValue: error.errno))")
                continue
            }
            for (parent, name) in places { try set(held, name, .entry, in: parent) }
        }
    }

    /// Makes the names of a file that are not in the upper lead to what the others lead to, if there are any.
    private func keepTogether(_ held: HeldNames, _ number: UInt32) throws(FSError) {
        for link in try lower.names(of: number) {
            let name = FileName(link.name)
            guard let parent = try upperPosition(held, of: link.directory),
                try listing(held, of: parent)[name] == .entry
            else { continue }
            let found = try node(held, name, in: parent)
            guard found.id == NodeID.lower(number) else { continue }
            found.isPinned = true
            return
        }
    }

    /// Called before a redirect is made.
    func markRedirects(_ held: HeldNames, _ upper: Upper) throws(FSError) {
        try noteMarks(held)
        try noteRedirects(held, upper)
    }

    /// Records that `recover` must look for redirects.
    private func noteRedirects(_ held: HeldNames, _ upper: Upper) throws(FSError) {
        try FSError.wrap { () throws(Errno) in
            try root.keepingStatus(of: root.name, in: upper.root) { () throws(Errno) in
                try upper.noteRedirects()
            }
        }
    }
}
