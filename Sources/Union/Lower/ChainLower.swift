package import Glibc
package import Layers
package import Linux

import Nodes
import SystemPackage

/// The lower of an image: a chain index, which has all layers merged, and the contents it refers to.
///
/// Takes no lock, and makes system calls only to read contents and for statistics.
package final class ChainLower: LowerTree {
    private let index: LayerIndex
    private let contents: LayerContents

    package init(index: LayerIndex, contents: LayerContents) {
        self.index = index
        self.contents = contents
    }

    package func has(_ number: UInt32) -> Bool { number < index.inodeCount }

    package func inode(_ number: UInt32) throws(FSError) -> LowerInode {
        LowerInode(try index.inode(number))
    }

    package func ino(_ number: UInt32) -> UInt64 { UInt64(number) + 1 }

    package func mark(of number: UInt32) -> [UInt8] {
        withUnsafeBytes(of: number.littleEndian) { [UInt8]($0) }
    }

    package func number(marked mark: [UInt8]) -> UInt32? {
        guard mark.count == 4 else { return nil }
        let number = mark.enumerated().reduce(UInt32(0)) { $0 | UInt32($1.element) << (8 * $1.offset) }
        return has(number) ? number : nil
    }

    package func lookup(
        _ name: UnsafeRawBufferPointer,
        in directory: UInt32
    ) throws(FSError) -> UInt32? {
        try index.lookup(name, in: directory)?.inode
    }

    package func forEachEntry(
        of directory: UInt32,
        from position: UInt64,
        _ body: (LowerEntry) throws(FSError) -> Bool
    ) throws(FSError) -> Bool {
        let slots = try index.inode(directory).entries
        guard position < UInt64(slots.count) else { return true }
        var next = position
        for slot in slots.dropFirst(Int(position)) {
            let entry = try index.entry(slot)
            next += 1
            let passed = LowerEntry(name: entry.name, inode: entry.inode, kind: entry.kind, next: next)
            guard try body(passed) else { return false }
        }
        return true
    }

    package func names(of number: UInt32) throws(FSError) -> [LowerLink] {
        var links: [LowerLink] = []
        try index.forEachName(of: number) { (directory, entry) throws(FSError) in
            links.append(LowerLink(directory: directory, name: [UInt8](entry.name)))
            return true
        }
        return links
    }

    package func forEachXattr(
        of number: UInt32,
        _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws(FSError) -> Bool
    ) throws(FSError) {
        try index.forEachXattr(of: index.inode(number), body)
    }

    package func target(of number: UInt32) throws(FSError) -> [UInt8] {
        [UInt8](try index.target(of: index.inode(number)))
    }

    package func read(
        _ number: UInt32,
        into buffer: UnsafeMutableRawBufferPointer,
        at offset: UInt64
    ) throws(FSError) -> Int {
        try contents.read(index.inode(number), into: buffer, at: offset)
    }

    package func locate(_ number: UInt32) throws(FSError) -> LowerContents {
        let record = try index.inode(number)
        let (file, start) = try contents.locate(record)
        // A small file is packed with others.
        let isWhole = record.contentKind == ContentKind.object.rawValue && start == 0
        return LowerContents(file: file, start: start, isWhole: isWhole)
    }

    package func statistics() throws(FSError) -> statvfs {
        var statistics = statvfs()
        try FSError.wrap { () throws(Errno) in
            try Errno.check(index.path.withPlatformString { statvfs($0, &statistics) })
        }
        return statistics
    }
}

extension LowerInode {
    init(_ record: InodeRecord) {
        mode = record.mode
        nlink = record.nlink
        uid = record.uid
        gid = record.gid
        rdev = record.rdev
        size = record.isDirectory ? 4096 : record.size
        blocks = record.blocks
        // A layer records one time only.
        mtime = Attributes.Time(seconds: record.mtimeSeconds, nanoseconds: record.mtimeNanoseconds)
        atime = mtime
        ctime = mtime
        parent = record.parent
    }
}
