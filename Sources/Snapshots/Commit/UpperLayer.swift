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
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 17, alignment: 4096)

    init(
        _ tree: MergedTree,
        without volumes: VolumePaths = VolumePaths(),
        to sink: @escaping (UnsafeRawBufferPointer) throws -> Void,
        warn: @escaping (String) -> Void
    ) {
        self.tree = tree
        self.volumes = volumes
        self.warn = warn
        tar = TarWriter(to: sink)
    }

    deinit { buffer.deallocate() }

    func write() throws {
        let root = Header(path: [], node: tree.root, parent: nil)
        if tree.root.lower == nil {
            try whole(root, hiding: true)
        } else {
            try changes(in: root, over: 0)
        }
        try writeOtherNames()
        try tar.finish()
    }

    /// A directory's entry, written at the latest before the first thing in it.
    private final class Header {
        /// Without slashes at the ends; empty for the root.
        let path: [UInt8]
        let node: TreeNode
        let parent: Header?
        var isWritten = false

        init(path: [UInt8], node: TreeNode, parent: Header?) {
            self.path = path
            self.node = node
            self.parent = parent
        }

        func path(of name: some Sequence<UInt8>) -> [UInt8] {
            path.isEmpty ? Array(name) : path + [0x2f] + name
        }
    }

    private func write(_ header: Header) throws {
        guard !header.isWritten else { return }
        if let parent = header.parent { try write(parent) }
        header.isWritten = true
        writtenDirectories.insert(header.path)
        try add(header.node, at: header.path, .directory)
    }

    /// A directory that is merged with the one of the same path below.
    private func changes(in directory: Header, over lower: UInt32) throws {
        let below = TreeNode(
            attributes: NodeAttributes(try tree.chain.inode(lower)),
            lower: lower,
            upper: nil
        )
        if try below.attributes != directory.node.attributes
            || tree.xattrs(of: below) != tree.xattrs(of: directory.node)
        {
            try write(directory)
        }
        let entries = try reading(directory.path) { try tree.upperEntries(of: directory.node) }
        for name in entries.whiteouts
        where try !volumes.contains(directory.path(of: name)) && tree.lookup(name, in: lower) != nil {
            try write(directory)
            try addMarker(Whiteout.prefix + name, in: directory)
        }
        for child in entries.children {
            let hidden = try tree.lookup(child.name, in: lower)
            if volumes.contains(directory.path(of: child.name)) {
                try addVolume(child, in: directory, isBelow: hidden != nil)
            } else if child.node.isDirectory, let hidden, child.node.lower == hidden {
                try refuseMarker(child.name, in: directory)
                let header = Header(path: directory.path(of: child.name), node: child.node, parent: directory)
                try changes(in: header, over: hidden)
            } else {
                try write(directory)
                let hidesDirectory = try hidden.map { try tree.chain.inode($0).isDirectory } ?? false
                try addWhole(child, in: directory, hiding: hidesDirectory)
            }
        }
    }

    /// A directory and everything in it. `hiding`: the image has a directory of that path that is not a part.
    private func whole(_ directory: Header, hiding: Bool) throws {
        try write(directory)
        if hiding { try addMarker(Whiteout.opaque, in: directory) }
        for child in try reading(directory.path, { try tree.children(of: directory.node) }) {
            if volumes.contains(directory.path(of: child.name)) {
                try addVolume(child, in: directory, isBelow: false)
            } else {
                try addWhole(child, in: directory, hiding: false)
            }
        }
    }

    /// Of a volume there is the directory where the image has none, and nothing in it.
    private func addVolume(_ child: TreeChild, in directory: Header, isBelow: Bool) throws {
        let path = directory.path(of: child.name)
        var isEmpty = false
        if child.node.isDirectory {
            let entries = try reading(path) { try tree.upperEntries(of: child.node) }
            isEmpty = entries.children.isEmpty && entries.whiteouts.isEmpty
            if !isBelow { try write(Header(path: path, node: child.node, parent: directory)) }
        }
        if !isEmpty {
            warn("\(printable(path)) is a volume of the image: what is in it is not part of the layer")
        }
    }

    private func addWhole(_ child: TreeChild, in directory: Header, hiding: Bool) throws {
        try refuseMarker(child.name, in: directory)
        let path = directory.path(of: child.name)
        guard child.node.isDirectory else { return try addFile(child.node, at: path) }
        try whole(Header(path: path, node: child.node, parent: directory), hiding: hiding)
    }

    private func refuseMarker(_ name: [UInt8], in directory: Header) throws {
        guard name.starts(with: Whiteout.prefix) else { return }
        throw Failure(
            "\(printable(directory.path(of: name))) can't be put into a layer: names that begin with .wh. stand for"
                + " deleted files there",
            advice: "Rename or remove it and commit again."
        )
    }

    private func addMarker(_ name: [UInt8], in directory: Header) throws {
        let time = directory.node.attributes
        try tar.add(
            TarEntry(
                path: directory.path(of: name),
                kind: .file,
                mode: 0,
                modified: .init(seconds: time.mtimeSeconds, nanoseconds: time.mtimeNanoseconds)
            )
        )
    }

    /// Anything but a directory. What is gone meanwhile is left out.
    private func addFile(_ node: TreeNode, at path: [UInt8]) throws {
        if let identity = try tree.identity(of: node) {
            if let first = written[identity]?.first {
                written[identity]?.append(path)
                return try tar.add(
                    TarEntry(
                        path: path,
                        kind: .hardLink,
                        mode: node.attributes.mode & 0o7777,
                        linkTarget: first
                    )
                )
            }
            written[identity] = [path]
        }
        switch node.attributes.type {
        case S_IFREG: try addRegular(node, at: path)
        case S_IFLNK: try add(node, at: path, .symbolicLink)
        case S_IFCHR:
            if node.attributes.isWhiteout {
                warn("\(printable(path)) is a device 0:0, which other programs will take for a deleted file")
            }
            try add(node, at: path, .characterDevice)
        case S_IFBLK: try add(node, at: path, .blockDevice)
        case S_IFIFO: try add(node, at: path, .fifo)
        default: warn("\(printable(path)) is a socket and not part of the layer")
        }
    }

    /// A directory that was renamed is written whole, and with it names of files that have others elsewhere,
    /// where nothing changed: these are written as well, or the image would have two files in place of one.
    private func writeOtherNames() throws {
        let lower = written.keys.compactMap { if case .lower(let inode) = $0 { inode } else { nil } }
        guard !lower.isEmpty else { return }
        for (inode, paths) in try tree.names(of: Set(lower)) {
            guard let known = written[.lower(inode)], let first = known.first else { continue }
            for path in paths where !known.contains(path) && !volumes.cover(path) {
                let components = path.split(separator: 0x2f).map(Array.init)
                let shown = try reading(path) { try tree.directories(to: components, showing: inode) }
                guard let directories = shown else { continue }
                var parent: Header?
                for (depth, node) in directories.enumerated() {
                    let path = Array(components[..<depth].joined(separator: [0x2f]))
                    let header = Header(path: path, node: node, parent: parent)
                    header.isWritten = writtenDirectories.contains(path)
                    parent = header
                }
                if let parent { try write(parent) }
                let mode = NodeAttributes(try tree.chain.inode(inode)).mode & 0o7777
                try tar.add(TarEntry(path: path, kind: .hardLink, mode: mode, linkTarget: first))
            }
        }
    }

    private func addRegular(_ node: TreeNode, at path: [UInt8]) throws {
        try reading(path) {
            let file: TreeFile
            do {
                file = try tree.open(node)
            } catch Errno.noSuchFileOrDirectory {
                return
            } catch Errno.tooManySymbolicLinkLevels {
                return
            }
            try add(node, at: path, .file, attributes: file.attributes)
            try addContent(of: file)
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

    private func add(
        _ node: TreeNode,
        at path: [UInt8],
        _ kind: TarEntry.Kind,
        attributes: NodeAttributes? = nil
    ) throws {
        let attributes = attributes ?? node.attributes
        let (xattrs, target) = try reading(path) {
            (try tree.xattrs(of: node), kind == .symbolicLink ? try tree.target(of: node) : [])
        }
        try tar.add(
            TarEntry(
                path: kind == .directory ? (path.isEmpty ? [0x2e] : path) + [0x2f] : path,
                kind: kind,
                mode: attributes.mode & 0o7777,
                uid: attributes.uid,
                gid: attributes.gid,
                size: kind == .file ? attributes.size : 0,
                modified: .init(seconds: attributes.mtimeSeconds, nanoseconds: attributes.mtimeNanoseconds),
                linkTarget: target,
                device: .init(major: attributes.major, minor: attributes.minor),
                xattrs: xattrs.map { .init(name: $0.name, value: $0.value) }
            )
        )
    }

    private func reading<R>(_ path: [UInt8], _ body: () throws -> R) throws -> R {
        do {
            return try body()
        } catch let errno as Errno {
            throw Failure("read \(printable(path))", errno)
        } catch let error as FSError {
            throw Failure("read \(printable(path)) from the layers below: \(error)")
        }
    }

    private func printable(_ path: [UInt8]) -> String { "/" + String(decoding: path, as: UTF8.self) }
}

/// How a layer's tar says that names of the layers below are gone.
enum Whiteout {
    static let prefix = Array(".wh.".utf8)
    static let opaque = Array(".wh..wh..opq".utf8)
}
