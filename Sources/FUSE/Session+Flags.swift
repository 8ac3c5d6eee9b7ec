package import Linux

import CFUSE
import Glibc
import SystemPackage

/// Inode flags of a regular file or a directory, as lsattr(1) shows them: FS_*_FL, or a `struct fsxattr`. ENOTTY
/// where there are none.
package protocol FlagOperations: Decorating {
    func flags(of node: UInt64) throws(FSError) -> UInt32
    func extendedFlags(of node: UInt64) throws(FSError) -> [UInt8]
    func setFlags(of node: UInt64, to flags: UInt32) throws(FSError)
}

extension FlagOperations {
    package func flags(of node: UInt64) throws(FSError) -> UInt32 { try below().flags(of: node) }

    package func extendedFlags(of node: UInt64) throws(FSError) -> [UInt8] {
        try below().extendedFlags(of: node)
    }

    package func setFlags(of node: UInt64, to flags: UInt32) throws(FSError) {
        try below().setFlags(of: node, to: flags)
    }
}

/// The ioctls that the kernel itself sends for lsattr(1) and chattr(1), after checking the caller's permission.
extension Session {
    static func addFlags(_ table: inout fuse_lowlevel_ops) {
        table.ioctl = { request, node, command, _, _, _, input, inputSize, outputSize in
            answer(request, "ioctl", node) { (operations) throws(FSError) in
                switch command {
                case cfuse_ioctl_get_flags() where outputSize >= 4:
                    var flags = try operations.flags(of: node)
                    fuse_reply_ioctl(request, 0, &flags, 4)
                case cfuse_ioctl_set_flags() where inputSize >= 4:
                    guard let input else { throw .system(.invalidArgument) }
                    try operations.setFlags(of: node, to: input.loadUnaligned(as: UInt32.self))
                    fuse_reply_ioctl(request, 0, nil, 0)
                case cfuse_ioctl_get_fsxattr():
                    let flags = try operations.extendedFlags(of: node)
                    guard flags.count <= outputSize else { throw .system(.invalidArgument) }
                    fuse_reply_ioctl(request, 0, flags, flags.count)
                case cfuse_ioctl_set_fsxattr():
                    // Project IDs, hints and the like belong to the upper.
                    throw .system(.notSupported)
                default: throw .system(.inappropriateIOCTLForDevice)
                }
            }
        }
    }
}
