package import Linux
package import Nodes

import CLinux
import Glibc
import Overlay
import SystemPackage

extension DirectoryStack {
    /// The place of a file.
    struct Location {
        /// The directory of the stack that the file is in; nil for the root.
        let parent: StackDirectory?
        /// The root is in itself, as `.`.
        let directory: UInt32
        let piece: StackPiece
        let name: FileName
    }

    /// ESTALE where only a mark names the file.
    func location(of number: UInt32) throws(FSError) -> Location {
        if number == 0 {
            return Location(
                parent: nil,
                directory: 0,
                piece: StackPiece(layer: 0, path: []),
                name: .dot
            )
        }
        let (record, parent) = tables.locked { () -> (Record, StackDirectory?) in
            let record = records[Int(number)]
            guard record.state != .marked else { return (record, nil) }
            let directory = record.place.directory
            return (record, directories[directory] ?? unnumbered[directory])
        }
        guard let parent, let piece = parent.piece(in: Int(record.layer)) else {
            throw .system(Errno(rawValue: ESTALE))
        }
        return Location(
            parent: parent,
            directory: record.place.directory,
            piece: piece,
            name: FileName(parent.name(Int(record.place.slot)))
        )
    }

    /// The open directory that a file is in.
    private func directory(_ location: Location) throws(FSError) -> OpenFile {
        let piece = location.piece
        if let known = open.find(location.directory, in: piece.layer) { return known }
        return try FSError.wrap { () throws(Errno) in
            let file = OpenFile(try layers[piece.layer].open(piece.path, O_PATH | O_DIRECTORY))
            open.insert(file, location.directory, in: piece.layer)
            return file
        }
    }

    func status(_ location: Location) throws(FSError) -> FileStatus {
        let directory = try directory(location)
        return try FSError.wrap { () throws(Errno) in try directory.fd.status(of: location.name) }
    }

    package func isReady(_ number: UInt32) -> Bool {
        tables.locked { records[Int(number)].attributes >= 0 }
    }

    package func prepareEntries(of directory: UInt32) throws(FSError) {
        guard tables.locked({ !prepared.contains(directory) }) else { return }
        for entry in try merged(directory).entries {
            // A lookup of the entry reports what can't be read here; the entry may also be hidden.
            _ = try? inode(entry.inode)
        }
        _ = tables.locked { prepared.insert(directory) }
    }

    package func inode(_ number: UInt32) throws(FSError) -> LowerInode {
        let known = tables.locked { () -> LowerInode? in
            let position = records[Int(number)].attributes
            return position < 0 ? nil : attributes[Int(position)]
        }
        if let known { return known }
        try find(number)
        let location = try location(of: number)
        var inode = LowerInode(
            try status(location),
            parent: tables.locked { records[Int(number)].place.directory }
        )
        if inode.isDirectory {
            inode.nlink = try links(of: number, onDisk: inode.nlink, location)
        } else if inode.nlink > 1 {
            // A name outside of the layer, or under a whiteout, does not count.
            inode.nlink = UInt32(clamping: try places(of: number, onDisk: inode.nlink).count)
        }
        if inode.isRegular, inode.blocks * 512 < inode.size {
            // Fewer blocks than data: a sparse file, or one whose data is in a layer below.
            inode.blocks = try dataBlocks(location) ?? inode.blocks
        }
        tables.locked {
            guard records[Int(number)].attributes < 0 else { return }
            records[Int(number)].attributes = Int32(clamping: attributes.count)
            attributes.append(inode)
        }
        return inode
    }

    /// 2 and one for each subdirectory. A directory that only one layer has need not be read for that.
    private func links(
        of number: UInt32,
        onDisk: UInt32,
        _ location: Location
    ) throws(FSError) -> UInt32 {
        var isAlone = tables.locked {
            let place = records[Int(number)].place
            return number != 0 && directories[place.directory]?.merged[place.slot] == nil
        }
        if isAlone, location.piece.layer < layers.count - 1 {
            let directory = try directory(location)
            isAlone = try FSError.wrap { () throws(Errno) in
                try marks.redirect(location.name, in: directory.fd) == nil
            }
        }
        // Filesystems that don't count subdirectories say 1.
        if isAlone, onDisk >= 2 { return onDisk }
        return try merged(number).entries.reduce(2) { $0 + ($1.kind == UInt8(DT_DIR) ? 1 : 0) }
    }

    package func birth(of number: UInt32) throws(FSError) -> Attributes.Time? {
        try find(number)
        let location = try location(of: number)
        let directory = try directory(location)
        return try FSError.wrap { () throws(Errno) in
            try directory.fd.birth(of: location.name).map { Attributes.Time($0) }
        }
    }

    package func isImmutable(_ number: UInt32) throws(FSError) -> Bool {
        try find(number)
        let location = try location(of: number)
        let directory = try directory(location)
        let result = directory.fd.use { raw in location.name.withCString { clinux_is_immutable(raw, $0) } }
        guard result >= 0 else { throw .system(Errno(rawValue: -result)) }
        return result == 1
    }

    package func openForFlags(_ number: UInt32) throws(FSError) -> OpenFile? {
        try find(number)
        return try open(location(of: number))
    }

    // MARK: - Data

    /// The st_blocks of the data where the file itself has only attributes; nil where it has data, or can't be read.
    private func dataBlocks(_ location: Location) throws(FSError) -> UInt64? {
        guard let file = try? open(location) else { return nil }
        return try FSError.wrap { () throws(Errno) in
            guard try !marks.data(.itself, in: file.fd).isHere else { return nil }
            return UInt64(try data(of: file, location)?.fd.status().st_blocks ?? 0)
        }
    }

    private func open(_ location: Location) throws(FSError) -> OpenFile {
        let directory = try directory(location)
        return try FSError.wrap { () throws(Errno) in
            // A layer's access times stay as they are.
            OpenFile(try directory.fd.openQuietly(location.name, O_RDONLY | O_NONBLOCK))
        }
    }

    /// The file that has the data: `file` itself or, if it has only attributes, one in a layer below; nil where
    /// there is none.
    private func data(of file: OpenFile, _ location: Location) throws(Errno) -> OpenFile? {
        let found = try FileMarks(stacked: file, marks)
        if found.data.isHere { return file }
        guard case .below = found.data, let parent = location.parent,
            let position = parent.pieces.firstIndex(where: { $0.layer == location.piece.layer })
        else { return nil }
        var walk = StackWalk(
            location.name.bytes,
            in: parent.pieces,
            from: position + 1,
            isDirectory: false,
            layers: layers,
            marks: marks
        )
        walk.apply(found, rest: 0, layer: location.piece.layer)
        while let found = try walk.step() {
            switch found.marks.data {
            case .here: return found.file
            case .below: continue
            // A layer can't have partial files: its upper has to be materialized first.
            case .partial, .unknown: return nil
            }
        }
        return nil
    }

    /// EIO where the layers have only the file's attributes.
    private func contents(_ number: UInt32) throws(FSError) -> OpenFile {
        try files.file(UInt64(number)) { () throws(FSError) -> OwnedFD in
            try find(number)
            let location = try location(of: number)
            guard try status(location).st_mode & S_IFMT == S_IFREG else { throw .system(.invalidArgument) }
            let file = try open(location)
            return try FSError.wrapOwned { () throws(Errno) in
                guard let data = try data(of: file, location) else { throw .ioError }
                return try data.fd.duplicate()
            }
        }
    }

    package func read(
        _ number: UInt32,
        into buffer: UnsafeMutableRawBufferPointer,
        at offset: UInt64
    ) throws(FSError) -> Int {
        let file = try contents(number)
        return try FSError.wrap { () throws(Errno) in try file.fd.readFully(into: buffer, at: offset) }
    }

    package func locate(_ number: UInt32) throws(FSError) -> LowerContents {
        LowerContents(file: try contents(number), start: 0, isWhole: true)
    }

    package func target(of number: UInt32) throws(FSError) -> [UInt8] {
        try find(number)
        let location = try location(of: number)
        let directory = try directory(location)
        return try FSError.wrap { () throws(Errno) in try directory.fd.target(of: location.name) }
    }

    // MARK: - Extended attributes

    package func forEachXattr(
        of number: UInt32,
        _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws(FSError) -> Bool
    ) throws(FSError) {
        try find(number)
        let location = try location(of: number)
        let directory = try directory(location)
        let names = try FSError.wrap { () throws(Errno) in try directory.fd.attributes(of: location.name) }
        for stored in names {
            guard !ForeignMarks.hides(stored), let name = marks.visible(stored, isDevice: false) else {
                continue
            }
            let value = try FSError.wrap { () throws(Errno) in
                try directory.fd.wholeAttribute(stored, of: location.name)
            }
            guard let value else { continue }
            let isWanted = try name.bytes.span.withUnsafeBytes {
                (name: UnsafeRawBufferPointer) throws(FSError) -> Bool in
                try value.span.withUnsafeBytes { (value: UnsafeRawBufferPointer) throws(FSError) -> Bool in
                    try body(name, value)
                }
            }
            guard isWanted else { return }
        }
    }
}

extension LowerInode {
    init(_ status: FileStatus, parent: UInt32) {
        mode = status.st_mode
        nlink = UInt32(clamping: status.st_nlink)
        uid = status.st_uid
        gid = status.st_gid
        rdev = clinux_encode_device(UInt64(status.st_rdev))
        size = UInt64(status.st_size)
        blocks = UInt64(status.st_blocks)
        atime = Attributes.Time(status.st_atim)
        mtime = Attributes.Time(status.st_mtim)
        ctime = Attributes.Time(status.st_ctim)
        self.parent = parent
    }
}
