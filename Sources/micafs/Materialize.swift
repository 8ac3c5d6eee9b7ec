import Glibc
import Linux
import Options
import SystemPackage
import Union

extension Micafs {
    /// Completes all files of an upper, so that the kernel's overlayfs can mount it.
    static func materialize(_ arguments: Arguments) throws {
        let usesUserXattrs = arguments.usesUserXattrs || !Privileges.canSetTrustedXattrs
        let lower = try lower(of: arguments, usesUserXattrs: usesUserXattrs)
        let upper = try upper(of: arguments, usesUserXattrs: usesUserXattrs)
        let union = try UnionTree(lower: lower, upper: upper)
        defer { union.close() }
        var lost: [String] = []
        do {
            _ = try union.materialize { lost.append(String(decoding: $0, as: UTF8.self)) }
        } catch {
            throw Failure("materialize \(arguments.upper?.string ?? "")", Errno(rawValue: error.errno))
        }
        guard let first = lost.first else { return }
        let others = lost.count > 1 ? " and \(lost.count - 1) more" : ""
        throw Failure(
            "the data of \(first)\(others) is not in the lower, or lost its holes when it was copied: nothing was done"
                + " about it"
        )
    }
}
