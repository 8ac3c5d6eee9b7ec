import CLinux
import Glibc
package import Linux
import Overlay
import SystemPackage

extension DirectoryStack {
    /// The layer counted from the bottom (2 bytes), the file's ino (8), and a check (6), all little-endian.
    package func mark(of number: UInt32) throws(FSError) -> [UInt8] {
        try find(number)
        let check = Self.check(try status(location(of: number)))
        let record = tables.locked { records[Int(number)] }
        return Self.bytes(UInt64(height(record.layer)), 2) + Self.bytes(record.ino, 8) + Self.bytes(check, 6)
    }

    /// Gives the number even if no name of the file was seen yet, without looking for one. If the layers were
    /// changed and another file turns up under this ino, that file gets a number of its own.
    package func number(marked mark: [UInt8]) throws(FSError) -> UInt32? {
        guard mark.count == 16 else { return nil }
        let height = Int(Self.value(mark[..<2]))
        guard height < layers.count else { return nil }
        let layer = UInt16(clamping: layers.count - 1 - height)
        let identity = Identity(ino: Self.value(mark[2..<10]), layer: layer)
        let check = Self.value(mark[10...])
        let (number, isExpected) = tables.locked { () -> (UInt32, Bool?) in
            if let number = find(identity) {
                return (number, expected[number].map { $0 == check })
            }
            let number = UInt32(clamping: records.count)
            records.append(
                Record(
                    ino: identity.ino,
                    place: Place(directory: 0, slot: 0),
                    layer: layer,
                    kind: UInt8(DT_UNKNOWN),
                    state: .marked
                )
            )
            numbers[Int(layer)][identity.ino] = number
            expected[number] = check
            return (number, true)
        }
        if let isExpected { return isExpected ? number : nil }
        return Self.check(try status(location(of: number))) == check ? number : nil
    }

    /// The number that a file has already. Precondition: `tables` is locked.
    func find(_ identity: Identity) -> UInt32? { numbers[Int(identity.layer)][identity.ino] }

    /// Tells a file from a later one with the same ino. Equal times and sizes are common in layers, but ctime can't
    /// be set.
    static func check(_ status: FileStatus) -> UInt64 {
        var hash = FNV()
        for value in [
            UInt64(status.st_mode & S_IFMT), UInt64(bitPattern: Int64(status.st_size)),
            UInt64(bitPattern: Int64(status.st_ctim.tv_sec)), UInt64(status.st_ctim.tv_nsec),
        ] { hash.add(value) }
        return (hash.value ^ hash.value >> 48) & (1 << 48 - 1)
    }

    private static func bytes(_ value: UInt64, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) }
    }

    private static func value(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    package func names(of number: UInt32) throws(FSError) -> [LowerLink] {
        guard number != 0 else { return [] }
        try find(number)
        let isDirectory = tables.locked { records[Int(number)].kind == UInt8(DT_DIR) }
        if isDirectory { return places(of: number) }
        return try places(of: number, onDisk: UInt32(clamping: status(location(of: number)).st_nlink))
    }

    /// The names of a file that has `count` of them in its layer. If fewer were met so far, the other names are
    /// somewhere else, or don't show.
    func places(of number: UInt32, onDisk count: UInt32) throws(FSError) -> [LowerLink] {
        let met = places(of: number)
        guard met.count < Int(count) else { return met }
        try scan()
        return places(of: number)
    }

    private func places(of number: UInt32) -> [LowerLink] {
        tables.locked {
            let record = records[Int(number)]
            guard record.state != .marked else { return [] }
            return ([record.place] + (otherNames[number] ?? [])).compactMap { place in
                (directories[place.directory] ?? unnumbered[place.directory]).map {
                    LowerLink(directory: place.directory, name: $0.name(Int(place.slot)))
                }
            }
        }
    }

    /// Looks for the name of a file that so far only a mark names.
    func find(_ number: UInt32) throws(FSError) {
        if tables.locked({ records[Int(number)].state == .marked }) { try scan() }
    }

    /// Reads all directories, once.
    func scan() throws(FSError) {
        if tables.locked({ isScanned }) { return }
        var waiting: [UInt32] = [0]
        while let number = waiting.popLast() {
            for entry in try merged(number).entries where entry.kind == UInt8(DT_DIR) {
                waiting.append(entry.inode)
            }
        }
        tables.locked { isScanned = true }
    }
}
