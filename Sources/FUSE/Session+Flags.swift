import CFUSE
import Glibc
import Linux
import SystemPackage

/// The ioctls that the kernel sends by itself for lsattr(1) and chattr(1), after it looked whether the caller may.
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
                    // Projects, hints and the like are the upper's own.
                    throw .system(.notSupported)
                default: throw .system(.inappropriateIOCTLForDevice)
                }
            }
        }
    }
}
