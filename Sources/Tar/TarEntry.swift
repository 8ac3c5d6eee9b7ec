/// One entry of a tar, without its content.
package struct TarEntry: Sendable, Equatable {
    package enum Kind: Sendable, Equatable {
        case file, directory, symbolicLink, hardLink, characterDevice, blockDevice, fifo
    }

    /// As the tar has it: bytes, perhaps absolute, with `..`, or ending in a slash.
    package var path: [UInt8]
    package var kind: Kind
    /// The twelve permission bits, without the file type, which is in `kind`.
    package var mode: UInt32
    package var uid: UInt32
    package var gid: UInt32
    /// The size in bytes that a reader of the file sees, holes included; 0 for all other kinds.
    package var size: UInt64
    /// The time since 1970; may be negative.
    package var modified: Time
    /// The target of a symbolic link; for a hard link, the path of an earlier entry.
    package var linkTarget: [UInt8]
    package var device: Device
    package var xattrs: [Xattr]
    /// Where the content's bytes belong in a file with holes: ascending, without overlap, none empty. nil:
    /// everywhere.
    package var extents: [Extent]?
    /// The number of bytes from the start of the tar to the content.
    package var contentOffset: UInt64

    package init(
        path: [UInt8],
        kind: Kind,
        mode: UInt32 = 0o644,
        uid: UInt32 = 0,
        gid: UInt32 = 0,
        size: UInt64 = 0,
        modified: Time = Time(seconds: 0),
        linkTarget: [UInt8] = [],
        device: Device = Device(major: 0, minor: 0),
        xattrs: [Xattr] = [],
        extents: [Extent]? = nil,
        contentOffset: UInt64 = 0
    ) {
        self.path = path
        self.kind = kind
        self.mode = mode
        self.uid = uid
        self.gid = gid
        self.size = size
        self.modified = modified
        self.linkTarget = linkTarget
        self.device = device
        self.xattrs = xattrs
        self.extents = extents
        self.contentOffset = contentOffset
    }

    /// How many bytes of the content the tar holds: fewer than `size` where there are holes.
    package var storedSize: UInt64 {
        // The reader has checked that the sum is no more than `size`.
        extents.map { $0.reduce(0) { $0 &+ $1.length } } ?? size
    }
}

extension TarEntry {
    /// `seconds` and 0..<1,000,000,000 nanoseconds after that, before 1970 too.
    package struct Time: Sendable, Equatable {
        package var seconds: Int64
        package var nanoseconds: UInt32

        package init(seconds: Int64, nanoseconds: UInt32 = 0) {
            self.seconds = seconds
            self.nanoseconds = nanoseconds
        }
    }

    /// Twelve bits of major and twenty of minor number, which is all that Linux has.
    package struct Device: Sendable, Equatable {
        package var major: UInt32
        package var minor: UInt32

        package init(major: UInt32, minor: UInt32) {
            self.major = major
            self.minor = minor
        }
    }

    package struct Xattr: Sendable, Equatable {
        package var name: [UInt8]
        package var value: [UInt8]

        package init(name: [UInt8], value: [UInt8]) {
            self.name = name
            self.value = value
        }
    }

    /// Bytes `offset..<offset + length` of a file that has holes elsewhere.
    package struct Extent: Sendable, Equatable {
        package var offset: UInt64
        package var length: UInt64

        package init(offset: UInt64, length: UInt64) {
            self.offset = offset
            self.length = length
        }
    }
}
