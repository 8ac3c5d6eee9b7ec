import Linux
package import SystemPackage

import Glibc

/// An image layout as a directory. Opens nothing but the names that the formats fix, and follows no
/// symbolic link.
package struct LayoutDirectory: ImageFiles {
    package let name: String
    private let directory: BlobFile.Shared

    package init(_ path: FilePath) throws {
        name = path.string
        directory = try naming("open \(path)") {
            BlobFile.Shared(try OwnedFD.open(path, O_RDONLY | O_DIRECTORY))
        }
    }

    package func file(_ name: String) throws -> BlobFile? {
        guard LayoutDirectory.isKnown(name) else { return nil }
        return try naming("open \(name) in \(self.name)") { () -> BlobFile? in
            do {
                // Not waiting for whoever might write to a FIFO.
                let fd = try directory.fd.open(beneath: FilePath(name), O_RDONLY | O_NONBLOCK)
                let status = try fd.status()
                guard status.st_mode & S_IFMT == S_IFREG else {
                    throw Failure("\(name) in \(self.name) is no regular file")
                }
                return BlobFile(BlobFile.Shared(fd), offset: 0, size: UInt64(status.st_size))
            } catch Errno.noSuchFileOrDirectory {
                return nil
            }
        }
    }

    private static func isKnown(_ name: String) -> Bool {
        if ["oci-layout", "index.json", "manifest.json"].contains(name) { return true }
        let blobs = "blobs/sha256/"
        return name.hasPrefix(blobs) && Digest(hex: name.dropFirst(blobs.count)) != nil
    }
}
