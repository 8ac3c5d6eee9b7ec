import Linux
import SystemPackage

import Glibc

/// Whether a partial file's holes have to be looked at before they are believed: it is not the file that the union
/// left, but a copy, and a program may have copied it without its holes. See `UnionTree.isIntact` in the union.
enum CopyCheck: Sendable {
    case none
    /// `prefix`: of the file's marks.
    case needed(prefix: XattrName)

    /// EUCLEAN for a file whose holes are not those of the file that it was made of.
    ///
    /// - Parameter limit: in bytes; holes behind it are holes.
    func look(at file: borrowing OwnedFD, limit: UInt64) throws(Errno) {
        guard case .needed(let prefix) = self else { return }
        let noted = try Xattr.get(prefix + "mica.map", of: file)
        let hash = try DataMap.hash(of: file, below: limit)
        if noted == withUnsafeBytes(of: hash.littleEndian, { [UInt8]($0) }) { return }
        // A mount may have taken it for its own meanwhile.
        if try Xattr.get(prefix + "metacopy", of: file) == FileBirth.mark(of: file) { return }
        throw Errno(rawValue: EUCLEAN)
    }
}
