import Linux
import Overlay
import Synchronization
import Union

import Glibc

/// A lower that counts how often the tree wanted all names of a file.
final class CountingLower: LowerTree {
    private let tree: any LowerTree
    private let counter = Mutex<[UInt32: Int]>([:])

    init(_ tree: any LowerTree) { self.tree = tree }

    func lookedAt(_ number: UInt32) -> Int { counter.withLock { $0[number] ?? 0 } }

    func names(of number: UInt32) throws(FSError) -> [LowerLink] {
        counter.withLock { $0[number, default: 0] += 1 }
        return try tree.names(of: number)
    }

    func has(_ number: UInt32) -> Bool { tree.has(number) }
    func inode(_ number: UInt32) throws(FSError) -> LowerInode { try tree.inode(number) }
    func isReady(_ number: UInt32) -> Bool { tree.isReady(number) }
    func ino(_ number: UInt32) -> UInt64 { tree.ino(number) }
    func mark(of number: UInt32) throws(FSError) -> [UInt8] { try tree.mark(of: number) }
    func number(marked mark: [UInt8]) throws(FSError) -> UInt32? { try tree.number(marked: mark) }
    func number(of handle: KernelHandle) throws(FSError) -> UInt32? { try tree.number(of: handle) }
    func lookup(_ name: UnsafeRawBufferPointer, in directory: UInt32) throws(FSError) -> UInt32? {
        try tree.lookup(name, in: directory)
    }
    func forEachEntry(
        of directory: UInt32,
        from position: UInt64,
        _ body: (LowerEntry) throws(FSError) -> Bool
    ) throws(FSError) -> Bool {
        try tree.forEachEntry(of: directory, from: position, body)
    }
    func prepareEntries(of directory: UInt32) throws(FSError) { try tree.prepareEntries(of: directory) }
    func forEachXattr(
        of number: UInt32,
        _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws(FSError) -> Bool
    ) throws(FSError) {
        try tree.forEachXattr(of: number, body)
    }
    func target(of number: UInt32) throws(FSError) -> [UInt8] { try tree.target(of: number) }
    func read(
        _ number: UInt32,
        into buffer: UnsafeMutableRawBufferPointer,
        at offset: UInt64
    ) throws(FSError) -> Int {
        try tree.read(number, into: buffer, at: offset)
    }
    func locate(_ number: UInt32) throws(FSError) -> LowerContents { try tree.locate(number) }
    func statistics() throws(FSError) -> statvfs { try tree.statistics() }
}
