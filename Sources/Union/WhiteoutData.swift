import Linux

/// A character device 0:0 made inside the mount: the whiteout of an overlay whose upper is in it.
///
/// Stored as such it would be a whiteout of this union. So it is stored as an empty regular file that says what
/// it is in an attribute of ours, and that it is a whiteout in the attribute which the kernel's overlayfs has for
/// nested overlays: who mounts this upper with the kernel's overlayfs sees the file as it would have made it.
enum WhiteoutData {
    /// Of the file that stands for one.
    static func attributes(_ marks: UpperMarks) -> [(name: XattrName, value: [UInt8])] {
        [(marks.device, Array("c 0:0".utf8)), (marks.nestedWhiteout, [])]
    }
}
