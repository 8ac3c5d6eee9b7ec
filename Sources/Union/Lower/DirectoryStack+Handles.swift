import CLinux
import Glibc
package import Linux
package import Overlay
import SystemPackage

extension DirectoryStack {
    /// nil where no layer has the file any more, or the process may not open file handles.
    package func number(of handle: KernelHandle) throws(FSError) -> UInt32? {
        try scan()
        for (position, layer) in layers.enumerated() {
            let root = try FSError.wrapOwned { () throws(Errno) in try layer.open([], O_RDONLY | O_DIRECTORY)
            }
            let fd = root.use { raw in
                handle.bytes.withUnsafeBytes { bytes in
                    bytes.baseAddress.map {
                        clinux_open_by_handle(raw, handle.type, $0, UInt32(clamping: bytes.count))
                    } ?? -EINVAL
                }
            }
            guard fd >= 0 else { continue }
            let file = OwnedFD(adopting: fd)
            let (status, own) = try FSError.wrap { () throws(Errno) in (try file.status(), try root.status())
            }
            guard status.st_dev == own.st_dev else { continue }
            let identity = Identity(ino: UInt64(status.st_ino), layer: UInt16(clamping: position))
            if let number = tables.locked({ find(identity) }) { return number }
        }
        return nil
    }
}
