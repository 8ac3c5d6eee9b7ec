package import Linux

import Glibc

/// A character device 0:0 made inside the mount: the whiteout of an overlay whose upper is in it.
///
/// Stored as such it would be a whiteout of this union. So it is stored as an empty regular file that says what
/// it is in an attribute of ours, and that it is a whiteout in the attribute which the kernel's overlayfs has for
/// nested overlays: who mounts this upper with the kernel's overlayfs sees the file as it would have made it.
package enum WhiteoutData {
    /// Of the file that stands for one.
    package static func attributes(_ marks: OverlayMarks) -> [(name: XattrName, value: [UInt8])] {
        [(marks.device, Array("c 0:0".utf8)), (marks.nestedWhiteout, [])]
    }

    /// What is shown as the mode of a file that stands for one; its device is 0 like any regular file's.
    package static func mode(_ stored: UInt32) -> UInt32 { stored & 0o7777 | S_IFCHR }

    /// Whether what a lower has, or is to be made, is one.
    package static func isOne(mode: UInt32, device: UInt32) -> Bool {
        mode & S_IFMT == S_IFCHR && device == 0
    }
}
