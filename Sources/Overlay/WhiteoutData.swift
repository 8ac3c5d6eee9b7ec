package import Linux

import Glibc

/// A character device 0:0 made inside the mount: the whiteout of an overlay whose upper is in it.
///
/// Stored as a device it would be a whiteout of this union. So it is stored as an empty regular file with two
/// attributes: mica's own says what it is, and the one that the kernel's overlayfs has for nested overlays says that
/// it is a whiteout. So a mount of this upper by the kernel's overlayfs shows the file as if the kernel had made it.
package enum WhiteoutData {
    /// The attributes of the file that stands for a whiteout.
    package static func attributes(_ marks: OverlayMarks) -> [(name: XattrName, value: [UInt8])] {
        [(marks.device, Array("c 0:0".utf8)), (marks.nestedWhiteout, [])]
    }

    /// The mode to show for a file that stands for a whiteout; its device is 0 like any regular file's.
    package static func mode(_ stored: UInt32) -> UInt32 { stored & 0o7777 | S_IFCHR }

    /// Whether a file of the lower, or one that is about to be made, is such a device.
    package static func isOne(mode: UInt32, device: UInt32) -> Bool {
        mode & S_IFMT == S_IFCHR && device == 0
    }
}
