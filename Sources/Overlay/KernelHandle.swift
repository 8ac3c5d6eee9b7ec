/// A lower file as the kernel's overlayfs records it: `struct ovl_fb` of fs/overlayfs/overlayfs.h.
package struct KernelHandle: Sendable {
    /// The filesystem's own type of handle.
    package let type: CInt
    package let bytes: [UInt8]

    /// Version, magic, length, flags, type, and the filesystem's UUID.
    private static let header = 5 + 16

    /// `name`: in hexadecimal digits; nil for anything else.
    init?(name: [UInt8]) {
        guard let all = [UInt8](hexadecimal: name), all.count > Self.header, all[0] == 0, all[1] == 0xfb,
            Int(all[2]) == all.count
        else { return nil }
        type = CInt(all[4])
        bytes = Array(all[Self.header...])
    }
}
