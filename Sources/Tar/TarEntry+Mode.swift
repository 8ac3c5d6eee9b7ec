import Glibc

extension TarEntry.Kind {
    /// Of a file with this st_mode. nil: a socket, which no tar holds. Never a hard link, which is a second name.
    package init?(mode: UInt32) {
        switch mode & S_IFMT {
        case S_IFREG: self = .file
        case S_IFDIR: self = .directory
        case S_IFLNK: self = .symbolicLink
        case S_IFCHR: self = .characterDevice
        case S_IFBLK: self = .blockDevice
        case S_IFIFO: self = .fifo
        default: return nil
        }
    }
}
