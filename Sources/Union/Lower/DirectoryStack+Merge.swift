import CLinux
import Glibc
import Linux
import Overlay
import SystemPackage

extension DirectoryStack {
    /// A directory's list of names, read now if it was not read before. ENOTDIR where `number` is no directory.
    func merged(_ number: UInt32) throws(FSError) -> StackDirectory {
        tables.lock()
        while true {
            if let directory = directories[number] {
                tables.unlock()
                return directory
            }
            guard Int(number) < records.count, records[Int(number)].kind == UInt8(DT_DIR) else {
                tables.unlock()
                throw .system(.notDirectory)
            }
            guard reading.contains(number) else { break }
            tables.wait()
        }
        reading.insert(number)
        let place = records[Int(number)].place
        let parent = directories[place.directory]
        tables.unlock()
        defer {
            tables.lock()
            reading.remove(number)
            tables.wakeAll()
            tables.unlock()
        }
        var pieces: [StackPiece] = []
        var contents = StackContents()
        var files: [OpenFile] = []
        try FSError.wrap { () throws(Errno) in
            if number == 0 {
                try readRoots(&pieces, &files, &contents)
            } else if let parent {
                try read(parent, place, &pieces, &files, &contents)
            }
        }
        // The next question is, as a rule, about a name in one of them; most likely the topmost, which is added last.
        for (piece, file) in zip(pieces, files).reversed() { open.insert(file, number, in: piece.layer) }
        let (directory, inos) = contents.merge(pieces: pieces)
        try assignNumbers(directory, inos, as: number)
        return directory
    }

    private func readRoots(
        _ pieces: inout [StackPiece],
        _ files: inout [OpenFile],
        _ contents: inout StackContents
    ) throws(Errno) {
        for layer in layers.indices {
            let piece = StackPiece(layer: layer, path: [])
            pieces.append(piece)
            let root = OpenFile(try layers[layer].open([], O_RDONLY | O_DIRECTORY))
            files.append(root)
            // An opaque root means nothing: below it are only the roots of other layers.
            guard try read(root.fd, FileMarks(stacked: root, marks), as: pieces.count - 1, &contents) else {
                return
            }
        }
    }

    private func read(
        _ parent: StackDirectory,
        _ place: Place,
        _ pieces: inout [StackPiece],
        _ files: inout [OpenFile],
        _ contents: inout StackContents
    ) throws(Errno) {
        let slot = Int(place.slot)
        var walk = StackWalk(
            parent.name(slot),
            in: parent.pieces,
            start: (place.directory, open),
            candidates: parent.merged[place.slot] ?? [parent.entries[slot].piece],
            isDirectory: true,
            layers: layers,
            marks: marks
        )
        while let found = try walk.step() {
            pieces.append(found.piece)
            files.append(found.file)
            guard try read(found.file.fd, found.marks, as: pieces.count - 1, &contents) else { return }
        }
    }

    /// Adds the names in one piece, which was opened just now. False where a `.wh..wh..opq` file in it hides what is below.
    private func read(
        _ fd: borrowing OwnedFD,
        _ found: FileMarks,
        as piece: Int,
        _ contents: inout StackContents
    ) throws(Errno) -> Bool {
        var isOpaque = false
        let hasFiles = found.opaque == .whiteoutFiles
        try fd.readEntries { (name, kind, ino) throws(Errno) in
            var kind = kind
            var isWhiteout = false
            let isSpecial =
                kind == UInt8(DT_CHR) || kind == UInt8(DT_UNKNOWN)
                || (kind == UInt8(DT_REG) && hasFiles)
                || (kind == UInt8(DT_REG) && name.starts(with: ForeignMarks.whiteoutPrefix))
            if isSpecial {
                let file = FileName(name)
                let status = try fd.status(of: file)
                kind = UInt8(truncatingIfNeeded: status.st_mode >> 12 & 15)
                if kind == UInt8(DT_REG), name.starts(with: ForeignMarks.whiteoutPrefix),
                    ForeignMarks.canBeWhiteout(status)
                {
                    if name.elementsEqual(ForeignMarks.opaqueFile) {
                        isOpaque = true
                    } else {
                        contents.append(
                            UnsafeRawBufferPointer(
                                rebasing: name.dropFirst(ForeignMarks.whiteoutPrefix.count)
                            ),
                            kind: UInt8(DT_UNKNOWN),
                            piece: piece,
                            ino: 0,
                            isWhiteout: true
                        )
                    }
                    return
                }
                isWhiteout = try marks.isWhiteout(status, file, in: fd, hasFiles: hasFiles)
            }
            contents.append(name, kind: kind, piece: piece, ino: ino, isWhiteout: isWhiteout)
        }
        return !isOpaque
    }

    /// Gives every entry its number, then publishes the directory.
    private func assignNumbers(
        _ directory: StackDirectory,
        _ inos: [UInt64],
        as number: UInt32
    ) throws(FSError) {
        var known: [(slot: Int, number: UInt32)] = []
        tables.lock()
        unnumbered[number] = directory
        for slot in inos.indices {
            let entry = directory.entries[slot]
            let layer = UInt16(clamping: directory.pieces[Int(entry.piece)].layer)
            let identity = Identity(ino: inos[slot], layer: layer)
            if let other = find(identity) {
                known.append((slot, other))
            } else {
                numbers[Int(layer)][identity.ino] = add(directory, slot, identity, in: number, .found)
            }
        }
        tables.unlock()
        defer {
            tables.lock()
            unnumbered[number] = nil
            tables.unlock()
        }
        for (slot, other) in known {
            let isSame = try isSame(directory, slot, as: other)
            tables.locked {
                if isSame {
                    join(other, directory, slot, in: number)
                } else {
                    let layer = UInt16(clamping: directory.pieces[Int(directory.entries[slot].piece)].layer)
                    let identity = Identity(ino: inos[slot], layer: layer)
                    _ = add(directory, slot, identity, in: number, .ambiguous)
                }
            }
        }
        tables.locked { directories[number] = directory }
    }

    /// Precondition: `tables` is locked.
    private func add(
        _ directory: StackDirectory,
        _ slot: Int,
        _ identity: Identity,
        in parent: UInt32,
        _ state: Record.State
    ) -> UInt32 {
        let number = UInt32(clamping: records.count)
        records.append(
            Record(
                ino: identity.ino,
                place: Place(directory: parent, slot: UInt32(clamping: slot)),
                layer: identity.layer,
                kind: directory.entries[slot].kind,
                state: state
            )
        )
        directory.setInode(slot, number)
        return number
    }

    /// Adds a name to a known file, or the first name to one that only a mark named. Precondition: `tables` is
    /// locked.
    private func join(_ number: UInt32, _ directory: StackDirectory, _ slot: Int, in parent: UInt32) {
        directory.setInode(slot, number)
        let place = Place(directory: parent, slot: UInt32(clamping: slot))
        if records[Int(number)].state == .marked {
            records[Int(number)].state = .found
            records[Int(number)].place = place
            records[Int(number)].kind = directory.entries[slot].kind
            expected[number] = nil
        } else {
            otherNames[number, default: []].append(place)
        }
    }

    /// Whether an entry is the file that `number` stands for: an equal d_ino may come from another filesystem, and a
    /// mark may be older than a change of the layer.
    private func isSame(
        _ directory: StackDirectory,
        _ slot: Int,
        as number: UInt32
    ) throws(FSError) -> Bool {
        let entry = directory.entries[slot]
        guard entry.kind != UInt8(DT_DIR) else { return false }
        let piece = directory.pieces[Int(entry.piece)]
        let status = try FSError.wrap { () throws(Errno) in
            try layers[piece.layer].open(piece.path, O_PATH | O_DIRECTORY).status(
                of: FileName(directory.name(slot))
            )
        }
        let (record, mark) = tables.locked { (records[Int(number)], expected[number]) }
        if record.state == .marked { return mark == Self.check(status) }
        guard record.kind == entry.kind else { return false }
        let other = try self.status(location(of: number))
        return status.st_dev == other.st_dev && status.st_ino == other.st_ino
    }
}
