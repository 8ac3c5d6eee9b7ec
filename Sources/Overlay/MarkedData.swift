package import Linux
package import SystemPackage

import CLinux
import Glibc

/// Where the data of a regular file in an upper is, according to its attribute `metacopy`.
package enum MarkedData: Sendable {
    case here
    /// In the lower file: the attribute is empty, or has a digest. struct ovl_metacopy in the kernel has at least 4
    /// bytes.
    case below
    case partial(PartialMark)
    /// The attribute has an unknown form.
    case unknown

    /// `marks`: those with the prefix under which `metacopy` was found. `limit`: reads the attribute of that name.
    init(
        metacopy: [UInt8],
        _ marks: OverlayMarks,
        limit: () throws(Errno) -> [UInt8]?
    ) throws(Errno) {
        if metacopy.isEmpty || metacopy.count >= 4 {
            self = .below
        } else if metacopy == PartialMark.anybodys || metacopy.count == FileBirth.size {
            guard let limit = try limit() else {
                self = .partial(PartialMark(value: metacopy, limit: nil, marks: marks))
                return
            }
            guard let bytes = UInt64(littleEndian: limit) else {
                self = .unknown
                return
            }
            self = .partial(PartialMark(value: metacopy, limit: bytes, marks: marks))
        } else {
            self = .unknown
        }
    }

    package var isHere: Bool { if case .here = self { true } else { false } }
}

/// The mark of a file of which some data is in the upper: a hole below the limit stands for the lower's data. The
/// value of `metacopy` is the 3 bytes of the file's `FileBirth`, or `anybodys` where those would not last. Both are
/// shorter than any value that the kernel knows, so it answers EIO for such a file (ovl_check_metacopy_xattr in
/// fs/overlayfs/namei.c).
package struct PartialMark: Sendable {
    /// Does not say which file it was made for.
    static let anybodys = [UInt8(ascii: "p")]

    let value: [UInt8]
    /// In bytes; nil: the end of the lower file.
    package let limit: UInt64?
    let marks: OverlayMarks

    /// Whether the file can't be told from a copy.
    package var isAnybodys: Bool { value == PartialMark.anybodys }

    /// Whether `file` is the one that the union left, or a copy of it with the same holes below `limit`, in bytes.
    package func isIntact(_ file: borrowing OwnedFD, below limit: UInt64) throws(Errno) -> Bool {
        if isAnybodys { return true }
        if try FileBirth.mark(of: file) == value { return true }
        if try marks.hasMap(file, below: limit) { return true }
        // A mount may have marked a copy as its own meanwhile.
        return try file.attribute(marks.metacopy, of: .itself, limit: 256) == FileBirth.mark(of: file)
    }

    /// Whether a map of a partial file may be recorded. It may be if the mark does not say which file it was made
    /// for.
    package func mayHaveMap(_ name: FileName, in directory: borrowing OwnedFD) throws(Errno) -> Bool {
        if isAnybodys { return true }
        return try directory.attribute(marks.map, of: name, limit: 16) != nil
    }
}

extension OverlayMarks {
    /// Where the data of a regular file is.
    package func data(_ name: FileName, in directory: borrowing OwnedFD) throws(Errno) -> MarkedData {
        // struct ovl_metacopy with the largest digest has 68 bytes.
        guard let metacopy = try directory.attribute(metacopy, of: name, limit: 256) else { return .here }
        return try MarkedData(metacopy: metacopy, self) { () throws(Errno) in
            try directory.attribute(limit, of: name, limit: 16)
        }
    }

    /// The mark of a file whose data is the lower's, with its value.
    package var metadataOnly: (name: XattrName, value: [UInt8]) { (metacopy, []) }

    /// From `limit` on, holes in an open file are its own from now on.
    package func setLimit(_ limit: UInt64, of file: borrowing OwnedFD) throws(Errno) {
        try Xattr.set(self.limit, limit.littleEndianBytes, of: file)
    }

    /// Records which ranges of an open file below `limit` are data: a copy with the same ranges is as good as the
    /// file.
    package func setMap(of file: borrowing OwnedFD, below limit: UInt64) throws(Errno) {
        try Xattr.set(map, DataMap.hash(of: file, below: limit).littleEndianBytes, of: file)
    }

    /// Whether the recorded map is true.
    func hasMap(_ file: borrowing OwnedFD, below limit: UInt64) throws(Errno) -> Bool {
        try Xattr.get(map, of: file) == DataMap.hash(of: file, below: limit).littleEndianBytes
    }

    /// Called before the data of an open file changes.
    package func removeMap(of file: borrowing OwnedFD) throws(Errno) {
        try remove(map, of: file)
    }

    /// Marks that the file has all its data, which must be on disk by now. `isPartial`: it had some before.
    package func removeData(of file: borrowing OwnedFD, isPartial: Bool, hasMap: Bool) throws(Errno) {
        try remove(metacopy, of: file)
        guard isPartial else { return }
        // These mean nothing without the first.
        try? remove(limit, of: file)
        if hasMap { try? remove(map, of: file) }
    }

    private func remove(_ name: XattrName, of file: borrowing OwnedFD) throws(Errno) {
        if file.use({ fremovexattr($0, name.cString) }) == -1, Errno.last != .noData { throw .last }
    }
}

extension Upper {
    /// The mark of an open file of which some data is in the upper.
    package func partialMark(of file: borrowing OwnedFD) throws(Errno) -> (name: XattrName, value: [UInt8]) {
        (marks.metacopy, keepsInodes ? try FileBirth.mark(of: file) : PartialMark.anybodys)
    }

    /// From now on, holes in an open file stand for the lower's data.
    package func markPartial(_ file: borrowing OwnedFD) throws(Errno) {
        let (name, value) = try partialMark(of: file)
        try Xattr.set(name, value, of: file)
    }

    /// As `PartialMark.isIntact`; gives a copy a mark of its own.
    package func takes(
        _ mark: PartialMark,
        of name: FileName,
        in directory: borrowing OwnedFD,
        below limit: UInt64
    ) throws(Errno) -> Bool {
        if mark.isAnybodys { return true }
        if try FileBirth.mark(of: name, in: directory) == mark.value { return true }
        let file = try directory.open(name, O_RDONLY)
        guard try marks.hasMap(file, below: limit) else { return false }
        try markPartial(file)
        return true
    }
}

extension UInt64 {
    /// nil unless there are 8 bytes.
    init?(littleEndian bytes: [UInt8]) {
        guard bytes.count == 8 else { return nil }
        self = bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    var littleEndianBytes: [UInt8] { withUnsafeBytes(of: littleEndian) { [UInt8]($0) } }
}
