import Linux
package import SystemPackage

import Glibc

/// An image layout, or an unpacked docker-archive, as a directory. Opens only regular files in it: symbolic links
/// are followed, but none leads out.
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
        let path = FilePath(name)
        guard path.isRelative, !path.isEmpty, !name.utf8.contains(0),
            !path.components.contains(where: { $0.kind == .parentDirectory })
        else { return nil }
        return try naming("open \(name) in \(self.name)") { () -> BlobFile? in
            do {
                // Does not wait for a writer if it is a FIFO.
                let fd = try directory.fd.open(inRoot: path, O_RDONLY | O_NONBLOCK)
                let status = try fd.status()
                guard status.st_mode & S_IFMT == S_IFREG else {
                    throw Failure("\(name) in \(self.name) is no regular file")
                }
                return BlobFile(BlobFile.Shared(fd), offset: 0, size: UInt64(status.st_size))
            } catch Errno.noSuchFileOrDirectory {
                // It may be there, and not be a file.
                guard (try? directory.fd.open(inRoot: path, O_PATH | O_NOFOLLOW)) == nil else {
                    throw Failure(
                        "\(name) in \(self.name) is a symbolic link that leads out of it, or nowhere",
                        advice: "cp -rL makes a copy with the files that the links lead to."
                    )
                }
                return nil
            }
        }
    }
}
