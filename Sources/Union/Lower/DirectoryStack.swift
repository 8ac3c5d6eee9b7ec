package import Linux
package import Overlay
package import SystemPackage

import CLinux
package import Glibc

/// The lower of a stack of directories, merged as the kernel's overlayfs merges them. It understands whiteouts,
/// opaque directories, redirects and files with only their attributes, and fuse-overlayfs's marks.
///
/// A directory is read from all layers that have it when it is first looked into, and cached as one sorted list:
/// from then on a lookup costs the same whatever the number of layers. Attributes are read when first wanted, and
/// cached. The layers must not change while the tree is open.
///
/// **Locks.** `tables` guards all that is known, and is never held over a system call. A directory that a thread is
/// reading is in `reading`; other threads that want it wait.
package final class DirectoryStack: LowerTree, @unchecked Sendable {
    // Safe to share: all variables are only touched under `tables`.
    let layers: [StackLayer]
    let marks: OverlayMarks
    let tables = Lock()
    var records: [Record] = []
    var attributes: [LowerInode] = []
    var directories: [UInt32: StackDirectory] = [:]
    /// Directories that were read, but whose entries lack numbers still.
    var unnumbered: [UInt32: StackDirectory] = [:]
    var reading: Set<UInt32> = []
    /// By layer and d_ino.
    var numbers: [NumberMap<UInt32>]
    /// Names of files beyond the one in their record.
    var otherNames: [UInt32: [Place]] = [:]
    /// The check that a mark holds for its file, while no name was found for the file.
    var expected: [UInt32: UInt64] = [:]
    var isScanned = false
    /// Directories of which the attributes of all entries were read.
    var prepared: Set<UInt32> = []
    let files = FileCache(capacity: 64)
    let open = OpenPieces()

    /// A file of a layer. Names that share it share the inode.
    struct Identity {
        let ino: UInt64
        let layer: UInt16
    }

    /// A name: a position in a directory.
    struct Place {
        var directory: UInt32
        var slot: UInt32
    }

    struct Record {
        /// d_ino of the topmost piece.
        var ino: UInt64
        var place: Place
        /// Counted from the top.
        var layer: UInt16
        /// DT_*.
        var kind: UInt8
        var state: State
        /// The index in `attributes`; -1 until they were read.
        var attributes: Int32 = -1

        enum State: UInt8 {
            case found
            /// The ino identifies no file: another file of the layer has the same.
            case ambiguous
            /// A mark in the upper names it; no directory that has it was read yet.
            case marked
        }
    }

    /// `layers`: top first; symbolic links to directories are followed. `marks`: the namespace of the overlay's
    /// extended attributes.
    package init(layers paths: [FilePath], marks: OverlayMarks) throws {
        guard !paths.isEmpty, paths.count <= 0x7ffe else {
            throw Failure("a stack has between 1 and \(0x7ffe) layers, not \(paths.count)")
        }
        let layers = try paths.map(StackLayer.init)
        self.layers = layers
        self.marks = marks
        let ino = try naming("stat \(paths[0])") { UInt64(try layers[0].root.fd.status().st_ino) }
        records = [
            Record(
                ino: ino,
                place: Place(directory: 0, slot: 0),
                layer: 0,
                kind: UInt8(DT_DIR),
                state: .found
            )
        ]
        var numbers = [NumberMap<UInt32>](repeating: NumberMap(), count: layers.count)
        numbers[0][ino] = 0
        self.numbers = numbers
    }

    package func has(_ number: UInt32) -> Bool {
        tables.locked { Int(number) < records.count }
    }

    package func ino(_ number: UInt32) -> UInt64 {
        let record = tables.locked { records[Int(number)] }
        // An ino that can't be packed, or isn't unique, is replaced by a number that holds for this mount only.
        guard record.state != .ambiguous, record.ino < 1 << 48 else { return 1 << 63 | UInt64(number) }
        return UInt64(height(record.layer) + 1) << 48 | record.ino
    }

    /// A layer's number counted from the bottom, which stays when layers are put on top.
    func height(_ layer: UInt16) -> Int { layers.count - 1 - Int(layer) }

    package func lookup(
        _ name: UnsafeRawBufferPointer,
        in directory: UInt32
    ) throws(FSError) -> UInt32? {
        try merged(directory).find(name)?.inode
    }

    package func forEachEntry(
        of directory: UInt32,
        from position: UInt64,
        _ body: (LowerEntry) throws(FSError) -> Bool
    ) throws(FSError) -> Bool {
        let merged = try merged(directory)
        var slot = Int(clamping: position)
        while slot < merged.entries.count {
            let entry = merged.entries[slot]
            let isWanted = try merged.withName(slot) { (name: UnsafeRawBufferPointer) throws(FSError) in
                try body(
                    LowerEntry(name: name, inode: entry.inode, kind: entry.kind, next: UInt64(slot) + 1)
                )
            }
            guard isWanted else { return false }
            slot += 1
        }
        return true
    }

    package func statistics() throws(FSError) -> statvfs {
        var statistics = statvfs()
        try FSError.wrap { () throws(Errno) in
            try Errno.check(layers[0].root.fd.use { fstatvfs($0, &statistics) })
        }
        return statistics
    }
}
