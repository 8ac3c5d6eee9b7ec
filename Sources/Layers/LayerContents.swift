package import Linux
import SystemPackage

import Glibc
import Digests

/// Reads the file contents that an index refers to, from packs and objects, through a few open files.
///
/// Safe for any number of threads. A file that is missing, or shorter than the index says, answers EIO.
package final class LayerContents: Sendable {
    private let layout: StoreLayout
    private let index: LayerIndex
    private let packs: [FilePath]
    private let files: FileCache
    private let windows: PackWindows?

    /// - Parameters:
    /// - openFiles: how many files stay open; a stack may have more layers than a process may have files open.
    /// - holdsPacksOnce: the reader caches what it reads, so pages of a pack that have been read to their end need
    ///   not stay in memory as well.
    package init(
        layout: StoreLayout,
        index: LayerIndex,
        openFiles: Int = 24,
        holdsPacksOnce: Bool = false
    ) {
        windows = holdsPacksOnce ? PackWindows() : nil
        self.layout = layout
        self.index = index
        packs = index.layers.map { layout.layer($0).appending("pack") }
        files = FileCache(capacity: openFiles)
    }

    /// Fills `buffer` from byte `offset` of a file's contents; returns how many bytes there were.
    package func read(
        _ inode: InodeRecord,
        into buffer: UnsafeMutableRawBufferPointer,
        at offset: UInt64
    ) throws(FSError) -> Int {
        guard offset < inode.size else { return 0 }
        let count = Int(min(UInt64(buffer.count), inode.size - offset))
        guard count > 0 else { return 0 }
        let (file, start) = try locate(inode)
        let (position, overflow) = start.addingReportingOverflow(offset)
        guard !overflow, position < UInt64(Int64.max) - UInt64(count) else {
            throw .corruptIndex(offset: inode.content)
        }
        let wanted = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
        let got = try FSError.wrap { () throws(Errno) in try file.fd.readFully(into: wanted, at: position) }
        guard got == count else { throw .system(.ioError) }
        if let windows, inode.contentKind == ContentKind.packed.rawValue, offset + UInt64(count) == inode.size
        {
            windows.note(pack: inode.layer, file, from: start, count: inode.size)
        }
        return count
    }

    /// The open file that has an inode's contents, and the offset at which they begin. The reference keeps it open.
    package func locate(_ inode: InodeRecord) throws(FSError) -> (file: OpenFile, start: UInt64) {
        switch ContentKind(rawValue: inode.contentKind) {
        case .packed:
            let layer = Int(inode.layer)
            guard layer < packs.count else { throw .corruptIndex(offset: inode.content) }
            let pack = packs[layer]
            return (try open(UInt64(layer), pack), inode.content)
        case .object:
            guard let number = Int(exactly: inode.content) else { throw .corruptIndex(offset: inode.content) }
            let digest = try index.object(number).digest
            return (try open(UInt64(number) | 1 << 63, layout.object(digest)), 0)
        default:
            throw .corruptIndex(offset: inode.content)
        }
    }

    /// Missing contents are damage of the store, not an absent name: EIO.
    private func open(_ key: UInt64, _ path: @autoclosure () -> FilePath) throws(FSError) -> OpenFile {
        do {
            return try files.file(key) { () throws(Errno) in
                do throws(Errno) {
                    // Reading a mount must not change the store.
                    return try OwnedFD.open(path(), O_RDONLY | __O_NOATIME)
                } catch .notPermitted {
                    return try OwnedFD.open(path(), O_RDONLY)
                }
            }
        } catch {
            throw .system(error == .noSuchFileOrDirectory ? .ioError : error)
        }
    }
}
