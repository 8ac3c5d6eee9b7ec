import Layers
import Linux
import OCI
package import SystemPackage

import Glibc

/// Where an archive or a layout comes from.
package enum ImageInput: Sendable {
    case path(FilePath)
    case standardInput

    /// For messages.
    package var name: String {
        switch self {
        case .path(let path): path.string
        case .standardInput: "standard input"
        }
    }

    /// A tar that can be read anywhere is read where it is. What comes through a pipe, or is compressed, is
    /// first written to a file without a name in the store's tmp/: memory stays bounded, and nothing is left
    /// behind however this ends.
    func archive(in layout: StoreLayout) throws -> ImageArchive {
        switch self {
        case .standardInput:
            let fd = try naming("read standard input") {
                OwnedFD(adopting: try Errno.check(fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)))
            }
            return try archive(fd, in: layout, stem: nil)
        case .path(let path):
            let fd = try naming("open \(path)") { try OwnedFD.open(path, O_RDONLY) }
            if try fd.status().st_mode & S_IFMT == S_IFDIR {
                return ImageArchive(try LayoutDirectory(path), stem: stem)
            }
            return try archive(fd, in: layout, stem: stem)
        }
    }

    private func archive(_ fd: consuming OwnedFD, in layout: StoreLayout, stem: String?) throws
        -> ImageArchive
    {
        let isSeekable = try fd.status().st_mode & S_IFMT == S_IFREG && lseek(fd.raw, 0, SEEK_CUR) == 0
        let file = BlobFile.Shared(fd)
        if isSeekable, try !isCompressed(file) { return try archive(file, stem: stem) }
        return try archive(try spool(FileSource(file.fd.duplicate()), in: layout), stem: stem)
    }

    private func archive(_ file: BlobFile.Shared, stem: String?) throws -> ImageArchive {
        ImageArchive(try TarArchive(file, name: name), stem: stem)
    }

    private func isCompressed(_ file: BlobFile.Shared) throws -> Bool {
        // As many bytes as any format is told by.
        var head = Decompressor(BlobFile(file, offset: 0, size: 6).source(), named: name)
        return try head.format() != .plain
    }

    /// A file without a name that has what `source` unpacks to.
    private func spool(_ source: some ByteSource, in layout: StoreLayout) throws -> BlobFile.Shared {
        let spool = try NamelessFile(in: layout).file
        var plain = Decompressor(source, named: name)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
        defer { buffer.deallocate() }
        while true {
            let count = try plain.read(into: buffer)
            if count == 0 { break }
            try naming("write to \(layout.tmp)") {
                try spool.fd.writeAll(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            }
        }
        return spool
    }

    /// `/srv/debian.tar.gz` → `debian`.
    private var stem: String? {
        guard case .path(let path) = self else { return nil }
        let resolved = path.withPlatformString { realpath($0, nil) }
        defer { free(resolved) }
        guard let resolved, var name = FilePath(platformString: resolved).lastComponent?.string else {
            return nil
        }
        for suffix in [".gz", ".tgz", ".zst", ".tar", ".oci"] where name.hasSuffix(suffix) {
            name.removeLast(suffix.count)
        }
        return name.lowercased()
    }
}
