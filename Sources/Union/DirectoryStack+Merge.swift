import CLinux
import Glibc
import Linux
import SystemPackage

extension DirectoryStack {
    /// A directory's list of names, read now if nobody looked before. ENOTDIR where it is none.
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
        try FSError.wrap { () throws(Errno) in
            if number == 0 {
                try readRoots(&pieces, &contents)
            } else if let parent {
                try read(parent, Int(place.slot), &pieces, &contents)
            }
        }
        let (directory, inos) = contents.merge(pieces: pieces)
        try assignNumbers(directory, inos, as: number)
        return directory
    }

    private func readRoots(_ pieces: inout [StackPiece], _ contents: inout StackContents) throws(Errno) {
        for layer in layers.indices {
            let piece = StackPiece(layer: layer, path: [])
            pieces.append(piece)
            let fd = try layers[layer].open([], O_RDONLY | O_DIRECTORY)
            // An opaque root means nothing: there is no root below it but those of the layers.
            let marks = try StackMarks(of: fd, prefix: prefix)
            guard try read(fd, marks, as: pieces.count - 1, &contents) else { return }
        }
    }

    private func read(
        _ parent: StackDirectory,
        _ slot: Int,
        _ pieces: inout [StackPiece],
        _ contents: inout StackContents
    ) throws(Errno) {
        var walk = StackWalk(
            parent.name(slot),
            in: parent.pieces,
            candidates: parent.merged[UInt32(clamping: slot)] ?? [parent.entries[slot].piece],
            isDirectory: true,
            layers: layers,
            prefix: prefix
        )
        while let found = try walk.step() {
            pieces.append(found.piece)
            guard try read(found.file.fd, found.marks, as: pieces.count - 1, &contents) else { return }
        }
    }

    /// Adds the names in one piece. False where a file in it says that nothing below shows through.
    private func read(
        _ fd: borrowing OwnedFD,
        _ marks: StackMarks,
        as piece: Int,
        _ contents: inout StackContents
    ) throws(Errno) -> Bool {
        var isOpaque = false
        try fd.forEachName { (name, kind, ino) throws(Errno) in
            var kind = kind
            var isWhiteout = false
            let isSpecial =
                kind == UInt8(DT_CHR) || kind == UInt8(DT_UNKNOWN)
                || (kind == UInt8(DT_REG) && marks.hasFileWhiteouts)
                || (kind == UInt8(DT_REG) && name.starts(with: StackName.whiteoutPrefix))
            if isSpecial {
                let file = FileName(name)
                let status = try fd.status(of: file)
                kind = UInt8(truncatingIfNeeded: status.st_mode >> 12 & 15)
                if kind == UInt8(DT_REG), name.starts(with: StackName.whiteoutPrefix),
                    StackName.isWhiteout(status)
                {
                    if name == StackName.opaque {
                        isOpaque = true
                    } else {
                        contents.append(
                            name.dropFirst(StackName.whiteoutPrefix.count),
                            kind: UInt8(DT_UNKNOWN),
                            piece: piece,
                            ino: 0,
                            isWhiteout: true
                        )
                    }
                    return
                }
                isWhiteout = kind == UInt8(DT_CHR) && status.st_rdev == 0
                if marks.hasFileWhiteouts, kind == UInt8(DT_REG), status.st_size == 0 {
                    isWhiteout = try fd.attribute(prefix + "whiteout", of: file) != nil
                }
            }
            contents.append(name, kind: kind, piece: piece, ino: ino, isWhiteout: isWhiteout)
        }
        return !isOpaque
    }

    /// Gives every entry its number, and shows the directory to everybody.
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
            if let other = numbers[identity] {
                known.append((slot, other))
            } else {
                numbers[identity] = add(directory, slot, identity, in: number, .found)
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

    /// Preconditions: `tables` is locked.
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

    /// Another name of a known file, or the first of one that only a mark named. Preconditions: `tables` is locked.
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

    /// Whether an entry is the file that `number` stands for: equal d_ino may come from another filesystem, and
    /// a mark from before the layer was changed.
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

extension OwnedFD {
    /// The names in this open directory with DT_* and d_ino, but `.` and `..`. Reads from the start.
    fileprivate borrowing func forEachName(
        _ body: ([UInt8], UInt8, UInt64) throws(Errno) -> Void
    ) throws(Errno) {
        // A descriptor of its own: closedir closes.
        let copy = try openQuietly(FileName("."), O_RDONLY | O_DIRECTORY)
        guard let stream = fdopendir(copy.raw) else { throw .last }
        _ = copy.release()
        defer { closedir(stream) }
        while true {
            Glibc.errno = 0
            guard let entry = readdir(stream) else {
                guard Glibc.errno == 0 else { throw .last }
                return
            }
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            guard name != [0x2e], name != [0x2e, 0x2e] else { continue }
            try body(name, entry.pointee.d_type, UInt64(entry.pointee.d_ino))
        }
    }
}
