package import Linux
package import SystemPackage

import Glibc

/// Whether a directory in an upper hides what is below it.
package enum Opaque: Sendable {
    /// The directory is merged with its part in the lower.
    case no
    /// "y": nothing below shows through.
    case yes
    /// "x": the directory is merged, and has whiteouts that are empty files with an attribute: Linux 6.8.
    case whiteoutFiles

    init(_ value: [UInt8]?) {
        switch value {
        case [UInt8(ascii: "y")]: self = .yes
        case [UInt8(ascii: "x")]: self = .whiteoutFiles
        default: self = .no
        }
    }
}

/// Names in an upper: which are deleted, and with what the others are merged. `FileName.dot` is the directory
/// itself.
extension OverlayMarks {
    package func opaque(_ name: FileName, in directory: borrowing OwnedFD) throws(Errno) -> Opaque {
        Opaque(try directory.attribute(opaque, of: name, limit: 16))
    }

    /// Marks that nothing below a directory shows through.
    package func makeOpaque(_ name: FileName, in directory: borrowing OwnedFD) throws(Errno) {
        try directory.setAttribute(opaque, of: name, to: [UInt8(ascii: "y")])
    }

    /// Marks that a directory may have whiteouts that are files.
    func allowWhiteoutFiles(in directory: borrowing OwnedFD) throws(Errno) {
        // An opaque directory has nothing to hide.
        guard try directory.attribute(opaque, of: .dot, limit: 16) == nil else { return }
        try directory.setAttribute(opaque, of: .dot, to: [UInt8(ascii: "x")])
    }

    package func redirect(
        _ name: FileName,
        in directory: borrowing OwnedFD
    ) throws(Errno) -> [UInt8]? {
        // A directory that was moved by short paths may be deeper than any path is long.
        try directory.wholeAttribute(redirect, of: name)
    }

    package func setRedirect(
        _ name: FileName,
        in directory: borrowing OwnedFD,
        to path: [UInt8]
    ) throws(Errno) {
        try directory.setAttribute(redirect, of: name, to: path)
    }

    /// The mark of the lower file that a file was copied up from.
    package func origin(_ name: FileName, in directory: borrowing OwnedFD) throws(Errno) -> [UInt8]? {
        try directory.attribute(origin, of: name, limit: 16)
    }

    package func owner(_ name: FileName, in directory: borrowing OwnedFD) throws(Errno) -> OwnerMark? {
        try directory.attribute(owner, of: name, limit: 64).flatMap { OwnerMark(parsing: $0) }
    }

    /// Stores an owner on a regular file or a directory of this process.
    package func setOwner(of path: FilePath, to owner: OwnerMark) throws(Errno) {
        try Xattr.set(self.owner, owner.text, at: path)
    }

    /// Whether an empty file stands for a device: see `WhiteoutData`.
    package func isDevice(_ name: FileName, in directory: borrowing OwnedFD) throws(Errno) -> Bool {
        try directory.attribute(device, of: name, limit: 16) != nil
    }

    // MARK: - Whiteouts

    /// Whether a name in an open directory is deleted. `kind`: DT_*. `hasFiles`: the directory may have whiteouts
    /// that are files.
    package func isWhiteout(
        _ name: FileName,
        kind: UInt8,
        in directory: borrowing OwnedFD,
        hasFiles: Bool
    ) throws(Errno) -> Bool {
        switch Int(kind) {
        case Int(DT_CHR), Int(DT_UNKNOWN): break
        case Int(DT_REG) where hasFiles: break
        default: return false
        }
        return try isWhiteout(directory.status(of: name), name, in: directory, hasFiles: hasFiles)
    }

    /// The same for a name with this status.
    package func isWhiteout(
        _ status: FileStatus,
        _ name: FileName,
        in directory: borrowing OwnedFD,
        hasFiles: Bool
    ) throws(Errno) -> Bool {
        if status.isWhiteoutDevice { return true }
        guard hasFiles, status.canBeWhiteoutFile else { return false }
        return try directory.attribute(whiteout, of: name, limit: 16) != nil
    }
}

extension FileStatus {
    /// A character device 0:0.
    var isWhiteoutDevice: Bool { st_mode & S_IFMT == S_IFCHR && st_rdev == 0 }

    /// An empty regular file, of which an attribute says whether it is a whiteout.
    var canBeWhiteoutFile: Bool { st_mode & S_IFMT == S_IFREG && st_size == 0 }
}
