package import Layers
package import Linux

import Glibc
import SystemPackage

/// The read-only tree below an upper: a chain index and the contents it refers to.
///
/// Takes no lock and makes no system call but to read contents. This type is the seam for other forms of lower.
package final class LowerTree: Sendable {
    package let index: LayerIndex
    private let contents: LayerContents
    /// Directories in ascending order of their entries: which directory a slot belongs to is a binary search.
    private let directories: OnceList

    package init(index: LayerIndex, contents: LayerContents) {
        self.index = index
        self.contents = contents
        directories = OnceList()
    }

    package func inode(_ number: UInt32) throws(FSError) -> InodeRecord { try index.inode(number) }

    package func read(
        _ inode: InodeRecord,
        into buffer: UnsafeMutableRawBufferPointer,
        at offset: UInt64
    ) throws(FSError) -> Int {
        try contents.read(inode, into: buffer, at: offset)
    }

    /// The open file with an inode's contents and where in it they start.
    func locate(_ inode: InodeRecord) throws(FSError) -> (file: OpenFile, start: UInt64) {
        try contents.locate(inode)
    }

    /// A name of an inode: the directory it is in, and the name.
    package struct Link {
        let directory: UInt32
        let name: UnsafeRawBufferPointer
    }

    /// All names of a file, or the one name of a directory; none for the root.
    package func names(of number: UInt32) throws(FSError) -> [Link] {
        let record = try inode(number)
        guard number != 0 else { return [] }
        if record.isDirectory || record.nlink <= 1 {
            for slot in try inode(record.parent).entries {
                let entry = try index.entry(slot)
                if entry.inode == number { return [Link(directory: record.parent, name: entry.name)] }
            }
            throw .corruptIndex(offset: UInt64(number))
        }
        // Rare enough that a scan of all entries, some 100 µs for 50,000 of them, beats a table on disk.
        let directories = try directories.get { () throws(FSError) in try listDirectories() }
        var links: [Link] = []
        var position = 0
        for slot in 0..<UInt32(clamping: index.entryCount) {
            let entry = try index.entry(slot)
            guard entry.inode == number else { continue }
            while position < directories.count, try !inode(directories[position]).entries.contains(slot) {
                position += 1
            }
            guard position < directories.count else { throw .corruptIndex(offset: UInt64(slot)) }
            links.append(Link(directory: directories[position], name: entry.name))
        }
        return links
    }

    private func listDirectories() throws(FSError) -> [UInt32] {
        var list: [(first: UInt32, number: UInt32)] = []
        for number in 0..<index.inodeCount {
            let record = try inode(number)
            if record.isDirectory, record.entryCount > 0 { list.append((record.firstEntry, number)) }
        }
        return list.sorted { $0.first < $1.first }.map(\.number)
    }

    /// The absolute path of a directory, as a redirect records it: `/` for the root, no `/` at the end.
    func path(of directory: UInt32) throws(FSError) -> [UInt8] {
        var components: [UnsafeRawBufferPointer] = []
        var number = directory
        while number != 0 {
            // A damaged index may have a loop of parents.
            guard components.count < 4096, let link = try names(of: number).first else {
                throw .corruptIndex(offset: UInt64(number))
            }
            components.append(link.name)
            number = link.directory
        }
        guard !components.isEmpty else { return [UInt8(ascii: "/")] }
        return components.reversed().flatMap { [UInt8(ascii: "/")] + [UInt8]($0) }
    }

    /// The directory at an absolute path; nil where there is none.
    func directory(at path: [UInt8]) throws(FSError) -> UInt32? {
        var number: UInt32 = 0
        for component in path.split(separator: UInt8(ascii: "/")) {
            let found = try component.span.withUnsafeBytes {
                (name: UnsafeRawBufferPointer) throws(FSError) -> UInt32? in
                guard let entry = try index.lookup(name, in: number) else { return nil }
                return try inode(entry.inode).isDirectory ? entry.inode : nil
            }
            guard let found else { return nil }
            number = found
        }
        return number
    }
}

/// A list made on first use.
private final class OnceList: @unchecked Sendable {
    // Safe to share: `list` is only touched under `lock`.
    private let lock = Lock()
    private var list: [UInt32]?

    func get(_ make: () throws(FSError) -> [UInt32]) throws(FSError) -> [UInt32] {
        lock.lock()
        defer { lock.unlock() }
        if let list { return list }
        let made = try make()
        list = made
        return made
    }
}
