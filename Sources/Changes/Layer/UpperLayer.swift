import Layers
import Linux
import SystemPackage
import Tar

import Glibc

/// Writes what an upper changes as the tar of an OCI layer.
///
/// The upper is walked, never the image below it: only a directory that was renamed is written whole, from
/// wherever its parts are. Names are in byte order, so the same upper gives the same tar.
final class UpperLayer {
    private let tree: MergedTree
    private let volumes: VolumePaths
    private var tar: TarWriter
    private let warn: (String) -> Void
    /// The paths each inode with several names was written under.
    private var written: [FileIdentity: [[UInt8]]] = [:]
    private var writtenDirectories: Set<[UInt8]> = []
    /// From the root down to where the walk is.
    private var places: [Place] = []
    private let way = DirectoryWay()
    /// How often one name may turn out to be another file's.
    private static let mostAttempts = 100
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 17, alignment: 4096)

    init(
        _ tree: MergedTree,
        without volumes: VolumePaths = VolumePaths(),
        notAfter latest: Int64? = nil,
        to sink: @escaping (UnsafeRawBufferPointer) throws -> Void,
        warn: @escaping (String) -> Void
    ) {
        self.tree = tree
        self.volumes = volumes
        self.warn = warn
        tar = TarWriter(notAfter: latest, to: sink)
    }

    deinit { buffer.deallocate() }

    func write() throws {
        let root = Header(path: [], node: tree.root, parent: nil)
        if tree.root.lower == nil {
            try enterWhole(root, hiding: true)
        } else {
            try enterChanged(root, over: 0)
        }
        while let place = places.last {
            if let child = place.next() {
                try write(child, in: place)
            } else {
                places.removeLast()
                try way.leave(place.directory, named: printable(place.header.path))
            }
        }
        try writeOtherNames()
        try tar.finish()
    }

    private func enter(_ place: Place) {
        way.enter(place.directory)
        places.append(place)
    }

    private func write(_ header: Header) throws {
        var missing: [Header] = []
        var next: Header? = header
        while let header = next, !header.isWritten {
            missing.append(header)
            next = header.parent
        }
        while let header = missing.popLast() {
            header.isWritten = true
            writtenDirectories.insert(header.path)
            let details = try header.details ?? details(of: header.node, at: header.path)
            try add(header.node, at: header.path, .directory, details)
        }
    }

    /// Runs `body` with what is under a name, and again with what has come there meanwhile; `gone` where nothing has.
    /// `body` throws `TreeChanged` only before it has written anything.
    private func following(
        _ child: TreeChild,
        in directory: Header,
        _ body: (TreeNode) throws -> Void,
        gone: () throws -> Void
    ) throws {
        var node = child.node
        for _ in 0..<UpperLayer.mostAttempts {
            do {
                return try body(node)
            } catch is TreeChanged {
                let found = try reading(directory.path(of: child.name)) {
                    try tree.again(child, in: directory.node)
                }
                guard let found else { return try gone() }
                node = found
            }
        }
        throw Failure(
            "\(printable(directory.path(of: child.name))) is replaced faster than it can be read",
            advice: "Try again, or stop what does it."
        )
    }

    /// Begins with a directory that is merged with the one of the same path below.
    private func enterChanged(_ directory: Header, over lower: UInt32) throws {
        let below = TreeNode(
            attributes: NodeAttributes(try tree.chain.inode(lower)),
            lower: lower,
            upper: nil
        )
        let entries = try reading(directory.path) { try tree.upperEntries(of: directory.node) }
        let details = try details(of: directory.node, at: directory.path)
        directory.details = details
        if try below.attributes != directory.node.attributes || tree.xattrs(of: below) != details.xattrs {
            try write(directory)
        }
        for name in entries.whiteouts
        where try !volumes.contains(directory.path(of: name)) && tree.lookup(name, in: lower) != nil {
            try write(directory)
            try addMarker(Whiteout.prefix + name, in: directory)
        }
        enter(Place(directory, over: lower, entries.children, entries.directory))
    }

    /// Begins with a directory and everything in it. `hiding`: the image has a directory of that path that is not a
    /// part.
    private func enterWhole(_ directory: Header, hiding: Bool) throws {
        let (children, upper) = try reading(directory.path) { try tree.children(of: directory.node) }
        directory.details = try details(of: directory.node, at: directory.path)
        try write(directory)
        if hiding { try addMarker(Whiteout.opaqueName, in: directory) }
        enter(Place(directory, over: nil, children, upper))
    }

    /// What is next in a directory; where it is one itself, only its beginning.
    private func write(_ child: TreeChild, in place: Place) throws {
        let directory = place.header
        let hidden = try tree.lookup(child.name, in: place.lower)
        if volumes.contains(directory.path(of: child.name)) {
            return try addVolume(child, in: directory, isBelow: hidden != nil)
        }
        try following(child, in: directory) { node in
            if node.isDirectory, let hidden, node.lower == hidden {
                try refuseMarker(child.name, in: directory)
                let header = Header(path: directory.path(of: child.name), node: node, parent: directory)
                try enterChanged(header, over: hidden)
            } else {
                let hidesDirectory = try hidden.map { try tree.chain.inode($0).isDirectory } ?? false
                try addWhole(child.name, node, in: directory, hiding: hidesDirectory)
            }
        } gone: {
            // It was there when the directory was read, so nothing says yet that the image's is not. Where everything is
            // in the layer, nothing need be said.
            guard hidden != nil else { return }
            try write(directory)
            try addMarker(Whiteout.prefix + child.name, in: directory)
        }
    }

    /// Of a volume there is the directory where the image has none, and nothing in it.
    private func addVolume(_ child: TreeChild, in directory: Header, isBelow: Bool) throws {
        let path = directory.path(of: child.name)
        var isEmpty = false
        try following(child, in: directory) { node in
            guard node.isDirectory else { return }
            let entries = try reading(path) { try tree.upperEntries(of: node) }
            let header = Header(path: path, node: node, parent: directory)
            header.details = try details(of: node, at: path)
            isEmpty = entries.children.isEmpty && entries.whiteouts.isEmpty
            if !isBelow { try write(header) }
        } gone: {
            isEmpty = true
        }
        if !isEmpty {
            warn("\(printable(path)) is a volume of the image: what is in it is not part of the layer")
        }
    }

    private func addWhole(_ name: [UInt8], _ node: TreeNode, in directory: Header, hiding: Bool) throws {
        try refuseMarker(name, in: directory)
        let path = directory.path(of: name)
        guard node.isDirectory else { return try addFile(node, at: path, in: directory) }
        try enterWhole(Header(path: path, node: node, parent: directory), hiding: hiding)
    }

    private func refuseMarker(_ name: [UInt8], in directory: Header) throws {
        guard name.starts(with: Whiteout.prefix) else { return }
        throw Failure(
            "\(printable(directory.path(of: name))) can't be put into a layer: names that begin with .wh. stand for"
                + " deleted files there",
            advice: "Rename or remove it and commit again."
        )
    }

    /// What no program could unpack, by its path.
    private func refuseLong(_ path: [UInt8]) throws {
        guard path.count > LayerImport.longestPath else { return }
        throw Failure(
            "\(printable(Array(path.prefix(100))))… can't be put into a layer: its path has \(path.count) bytes, and Linux takes"
                + " \(LayerImport.longestPath)",
            advice: "Rename or remove it and commit again."
        )
    }

    private func addMarker(_ name: [UInt8], in directory: Header) throws {
        let time = directory.node.attributes
        let path = directory.path(of: name)
        try refuseLong(path)
        try tar.add(
            TarEntry(
                path: path,
                kind: .file,
                mode: 0,
                modified: .init(seconds: time.mtimeSeconds, nanoseconds: time.mtimeNanoseconds)
            )
        )
    }

    /// Anything but a directory. Throws `TreeChanged` where it is gone, or is another one by now; then nothing of it is
    /// written, and no reader takes it for the first of its names.
    private func addFile(_ node: TreeNode, at path: [UInt8], in directory: Header) throws {
        let identity = try tree.identity(of: node)
        if let identity, let first = written[identity]?.first {
            let details = try details(of: node, at: path)
            try write(directory)
            written[identity]?.append(path)
            return try add(node, at: path, .hardLink, details, linkTarget: first)
        }
        switch node.attributes.type {
        case S_IFREG:
            let file = try reading(path) { try tree.open(node) }
            let xattrs = try file.xattrs ?? details(of: node, at: path).xattrs
            try write(directory)
            try add(node, at: path, .file, (xattrs, []), attributes: file.attributes)
            try reading(path) { try addContent(of: file) }
        case S_IFSOCK:
            warn("\(printable(path)) is a socket and not part of the layer")
            return try write(directory)
        default:
            let details = try details(of: node, at: path)
            if node.attributes.isWhiteout {
                warn("\(printable(path)) is a device 0:0, which other programs will take for a deleted file")
            }
            try write(directory)
            try add(node, at: path, TarEntry.Kind(mode: node.attributes.type) ?? .fifo, details)
        }
        if let identity { written[identity] = [path] }
    }

    /// A directory that was renamed is written whole, and with it names of files that have others elsewhere,
    /// where nothing changed: these are written as well, or the image would have two files in place of one.
    private func writeOtherNames() throws {
        let lower = written.keys.compactMap { if case .lower(let inode) = $0 { inode } else { nil } }
        guard !lower.isEmpty else { return }
        for (inode, paths) in try tree.names(of: Set(lower)) {
            guard let known = written[.lower(inode)], let first = known.first else { continue }
            for path in paths where !known.contains(path) && !volumes.cover(path) {
                guard let parent = try header(of: path, showing: inode) else { continue }
                try write(parent)
                let attributes = NodeAttributes(try tree.chain.inode(inode))
                let node = TreeNode(attributes: attributes, lower: inode, upper: nil)
                try add(node, at: path, .hardLink, details(of: node, at: path), linkTarget: first)
            }
        }
    }

    /// The directory that `path` is in, if there is `inode` of the chain to be seen under it.
    private func header(of path: [UInt8], showing inode: UInt32) throws -> Header? {
        let components = path.split(separator: 0x2f).map(Array.init)
        var parent: Header?
        var depth = 0
        do {
            let isThere = try reading(path) {
                try tree.forEachDirectory(to: components, showing: inode) { node in
                    let path = Array(components[..<depth].joined(separator: [0x2f]))
                    let header = Header(path: path, node: node, parent: parent)
                    header.isWritten = writtenDirectories.contains(path)
                    header.details = try details(of: node, at: path)
                    parent = header
                    depth += 1
                }
            }
            return isThere ? parent : nil
        } catch is TreeChanged {
            return nil
        }
    }

    /// Exactly as many bytes as the entry says: a file that shrinks while it is read ends in zeros.
    private func addContent(of file: TreeFile) throws {
        let size = file.attributes.size
        var offset: UInt64 = 0
        while offset < size {
            let wanted = Int(min(UInt64(buffer.count), size - offset))
            let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted])
            let count = try file.read(into: piece, at: offset)
            piece[count...].initializeMemory(as: UInt8.self, repeating: 0)
            try tar.write(UnsafeRawBufferPointer(piece))
            offset += UInt64(wanted)
        }
    }

    typealias Details = (xattrs: [NodeXattr], target: [UInt8])

    private func details(of node: TreeNode, at path: [UInt8]) throws -> Details {
        try reading(path) { try tree.details(of: node) }
    }

    /// The whole truth of a file, also under its second name: a program that unpacks a hard link gives what its entry says to
    /// the file that all its names share.
    private func add(
        _ node: TreeNode,
        at path: [UInt8],
        _ kind: TarEntry.Kind,
        _ details: Details,
        attributes: NodeAttributes? = nil,
        linkTarget: [UInt8]? = nil
    ) throws {
        let attributes = attributes ?? node.attributes
        let path = kind == .directory ? (path.isEmpty ? [0x2e] : path) + [0x2f] : path
        try refuseLong(path)
        try tar.add(
            TarEntry(
                path: path,
                kind: kind,
                mode: attributes.mode & 0o7777,
                uid: attributes.uid,
                gid: attributes.gid,
                size: kind == .file ? attributes.size : 0,
                modified: .init(seconds: attributes.mtimeSeconds, nanoseconds: attributes.mtimeNanoseconds),
                linkTarget: linkTarget ?? details.target,
                device: .init(major: attributes.major, minor: attributes.minor),
                xattrs: details.xattrs.map { .init(name: $0.name, value: $0.value) }
            )
        )
    }

    private func reading<R>(_ path: [UInt8], _ body: () throws -> R) throws -> R {
        do {
            return try body()
        } catch let errno as Errno where errno.rawValue == EUCLEAN {
            throw Failure(
                "\(printable(path)) was copied without the holes of the file that it was made of: what it stands for can't"
                    + " be told",
                advice:
                    "Copy the upper again, with its holes and while it is not mounted; or materialize it first."
            )
        } catch let errno as Errno {
            throw Failure("read \(printable(path))", errno)
        } catch let error as FSError {
            throw Failure("read \(printable(path)) from the layers below: \(error)")
        }
    }

    private func printable(_ path: [UInt8]) -> String {
        "/" + String(decoding: path, as: UTF8.self)
    }
}
