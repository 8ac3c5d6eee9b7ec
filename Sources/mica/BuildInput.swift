import Build
import Containers
import Dockerfile
import Images
import Layers
import Linux
import OCI
import Snapshots
import SystemPackage

import Glibc

/// The Dockerfile and the context of a build, from what the user typed.
struct BuildInput {
    let request: BuildRequest
    private let store: Store
    private let lease: String?

    init(context: String, file: String?, store: Store, until cancellation: Cancellation) throws {
        self.store = store
        if context == "-" {
            guard file != "-" else {
                throw Failure(
                    "standard input can't be the context and the Dockerfile",
                    kind: .invalidArgument
                )
            }
            guard isatty(STDIN_FILENO) == 0 else {
                throw Failure("standard input is a terminal", advice: "Pipe a tar or a Dockerfile into it.")
            }
            let source = FileSource(
                try naming("read standard input") {
                    OwnedFD(adopting: try Errno.check(fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)))
                }
            )
            (request, lease) = try BuildInput.read(source, "standard input", file, store)
            return
        }
        if try BuildInput.isRemote(context) {
            guard file != "-" else {
                throw Failure(
                    "the context \(context) has its own Dockerfile",
                    advice: "Without -f, or with its path in the context.",
                    kind: .invalidArgument
                )
            }
            guard let fetched = try RemoteFile.fetch(context, in: store, until: cancellation) else {
                throw Failure("\(context) was not fetched")
            }
            (request, lease) = try BuildInput.read(fetched.source(), context, file, store)
            return
        }
        lease = nil
        let directory = FilePath(context)
        if file == "-" {
            let bytes = try naming("read standard input") {
                try OwnedFD(adopting: Errno.check(fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)))
                    .contents(limit: Dockerfile.sizeLimit)
            }
            request = BuildRequest(dockerfile: bytes, name: "Dockerfile", context: .directory(directory))
            return
        }
        let path = file.map { FilePath($0) } ?? directory.appending("Dockerfile")
        let bytes: [UInt8]
        do {
            bytes = try OwnedFD.open(path, O_RDONLY).contents(limit: Dockerfile.sizeLimit)
        } catch {
            throw Failure(
                "read \(path)",
                error,
                advice: file == nil && error == .noSuchFileOrDirectory
                    ? "Name another one: mica build -f FILE" : nil
            )
        }
        var new = BuildRequest(
            dockerfile: bytes,
            name: file ?? "Dockerfile",
            context: .directory(directory)
        )
        new.path = BuildInput.place(of: path, in: directory)
        request = new
    }

    /// Lets go of the context.
    func end() { if let lease { try? store.removeLease(lease) } }

    /// Whether it is the URL of a tar, or of a Dockerfile.
    private static func isRemote(_ context: String) throws -> Bool {
        let isHTTP = context.hasPrefix("http://") || context.hasPrefix("https://")
        let path = context.prefix { $0 != "#" && $0 != "?" }
        let git = ["git://", "git@", "ssh://", "github.com/"]
        guard git.contains(where: context.hasPrefix) || isHTTP && path.hasSuffix(".git") else {
            return isHTTP
        }
        throw Failure(
            "the context \(context) is a git repository: mica build reads none",
            advice: "Clone it with git, and build there.",
            kind: .invalidArgument
        )
    }

    /// Relative to the context; nil where it is elsewhere.
    private static func place(of dockerfile: FilePath, in directory: FilePath) -> String? {
        func resolved(_ path: FilePath) -> FilePath? {
            guard let known = path.withPlatformString({ realpath($0, nil) }) else { return nil }
            defer { free(known) }
            return FilePath(platformString: known)
        }
        guard var path = resolved(dockerfile), let top = resolved(directory), path.removePrefix(top) else {
            return nil
        }
        return path.string
    }

    /// A tar becomes a layer, which nothing but a lease keeps; text is a Dockerfile without a context.
    private static func read(_ source: some ByteSource, _ place: String, _ file: String?, _ store: Store)
        throws
        -> (BuildRequest, String?)
    {
        var peeked = PeekedSource(source)
        guard try peeked.isArchive() else {
            let bytes = try peeked.all(limit: Dockerfile.sizeLimit, of: place)
            return (BuildRequest(dockerfile: bytes, name: "Dockerfile", context: .none), nil)
        }
        let into = LayerImport(layout: store.layout)
        let layer =
            if let format = ForeignCompression(peeked.head) {
                try into.stage(format.decompressed(peeked, named: "the context"), named: "the context")
            } else {
                try into.stage(peeked, named: "the context")
            }
        let lock = try store.lockForChange()
        do { try layer.publish() } catch {
            layer.discard()
            throw error
        }
        let lease = "context \(layer.diffID.hex) \(getpid())"
        try store.lease(
            lease,
            expires: KernelClock.now(CLOCK_REALTIME) + 24 * 3600 * 1_000_000_000,
            layers: [
                NewLayer(diffID: layer.diffID, tarSize: layer.tarSize, contentSize: layer.contentSize)
            ]
        )
        let name = file ?? "Dockerfile"
        let bytes = try ContextFile.read(name, inLayer: layer.diffID, store)
        _ = consume lock
        var request = BuildRequest(dockerfile: bytes, name: name, context: .layer(layer.diffID))
        request.path = name
        return (request, lease)
    }
}

/// A source whose beginning was looked at.
private struct PeekedSource: ByteSource {
    private(set) var head: [UInt8] = []
    private var position = 0
    private var rest: any ByteSource

    init(_ source: some ByteSource) { rest = source }

    /// By the first block: compressed, or the header of a tar.
    mutating func isArchive() throws -> Bool {
        var block = [UInt8](repeating: 0, count: 512)
        var count = 0
        while count < block.count {
            let read = try block.withUnsafeMutableBytes {
                try rest.read(into: UnsafeMutableRawBufferPointer(rebasing: $0[count...]))
            }
            if read == 0 { break }
            count += read
        }
        head = Array(block[..<count])
        let marks: [[UInt8]] = [[0x1f, 0x8b], [0x28, 0xb5, 0x2f, 0xfd]]
        return marks.contains { head.starts(with: $0) } || ForeignCompression(head) != nil
            || count == 512 && head[257..<262].elementsEqual("ustar".utf8)
    }

    mutating func all(limit: Int, of place: String) throws -> [UInt8] {
        var bytes: [UInt8] = []
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
        defer { buffer.deallocate() }
        while true {
            let count = try read(into: buffer)
            if count == 0 { return bytes }
            guard bytes.count + count <= limit else {
                throw Failure("the Dockerfile on \(place) has more than \(limit) bytes")
            }
            bytes += buffer[..<count]
        }
    }

    mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        guard position < head.count else { return try rest.read(into: buffer) }
        let piece = head[position...].prefix(buffer.count)
        buffer.copyBytes(from: piece)
        position += piece.count
        return piece.count
    }
}
