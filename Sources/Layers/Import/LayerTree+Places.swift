import Tar

import Glibc

// Resolving paths in the layer. The root's parent is the root: nothing leaves the layer.
extension LayerTree {
    /// As many symbolic links as other tools follow in one path, and how many components they may have.
    static let linkLimit = 255
    private static let stepLimit = 1 << 14

    /// A directory, and the names behind it that the layer does not have.
    private struct Place {
        /// From the root down.
        var way: [(name: [UInt8], inode: UInt32)] = []
        var missing: [[UInt8]] = []

        var inode: UInt32 { way.last?.inode ?? 0 }
        var path: [[UInt8]] { way.map(\.name) + missing }

        mutating func goUp() {
            if missing.popLast() == nil { _ = way.popLast() }
        }
    }

    /// The directory for `path`'s entries; missing directories on the path are created as implied.
    mutating func directory(at path: ArraySlice<ArraySlice<UInt8>>) throws(LayerError) -> UInt32 {
        if let recent, recent.path.elementsEqual(path) { return recent.inode }
        let inode: UInt32
        if let plain = plainDirectory(at: path) {
            inode = plain
        } else {
            inode = try makeDirectories(place(of: path))
        }
        recent = (Array(path), inode)
        return inode
    }

    /// nil where a component is missing, or is no directory.
    private func plainDirectory(at path: ArraySlice<ArraySlice<UInt8>>) -> UInt32? {
        var inode: UInt32 = 0
        for component in path {
            guard let child = directories[slot(inode)].children[Array(component)],
                inodes[Int(child)].isDirectory
            else { return nil }
            inode = child
        }
        return inode
    }

    private mutating func makeDirectories(_ place: Place) throws(LayerError) -> UInt32 {
        var inode = place.inode
        for name in place.missing {
            try countName(name.count)
            let child = try addImpliedDirectory()
            directories[slot(inode)].children[name] = child
            inode = child
        }
        return inode
    }

    /// Resolves `path` from the root, and follows every symbolic link on it.
    private func place(of path: ArraySlice<ArraySlice<UInt8>>) throws(LayerError) -> Place {
        var place = Place()
        var rest = Array(path.reversed())
        var (links, steps) = (0, 0)
        while let component = rest.popLast() {
            steps += 1
            if component.elementsEqual(".".utf8) { continue }
            if component.elementsEqual("..".utf8) {
                place.goUp()
                continue
            }
            switch try Whiteout(component) {
            case .no, .metadata: break
            case .name, .opaque:
                throw LayerError("\(String.quoting(component)) is a whiteout, not a directory")
            }
            let name = Array(component)
            guard place.missing.isEmpty, let child = directories[slot(place.inode)].children[name] else {
                try EntryPath.check(component)
                place.missing.append(name)
                continue
            }
            let record = inodes[Int(child)]
            if record.isDirectory {
                place.way.append((name, child))
                continue
            }
            guard record.isSymlink else {
                let way = Array((place.path + [name]).joined(separator: [EntryPath.slash]))
                throw LayerError("the layer has \(String.quoting(way)) as something that is no directory")
            }
            links += 1
            guard links <= Self.linkLimit, steps <= Self.stepLimit else {
                throw LayerError("the way there is through too many symbolic links, or a circle of them")
            }
            let target = builder.text(of: record)
            if target.first == EntryPath.slash { place = Place() }
            rest += target.split(separator: EntryPath.slash).reversed()
        }
        return place
    }

    /// The target of a hard link: an earlier entry that is not a directory, or a file of the layers below.
    mutating func linked(_ entry: TarEntry) throws(LayerError) -> UInt32 {
        let quoted = String.quoting(entry.linkTarget)
        let found: Place
        let last: [UInt8]
        do throws(LayerError) {
            let path = try EntryPath.components(entry.linkTarget)
            guard let name = path.last else { throw LayerError("it is the layer's root") }
            last = Array(name)
            found = try place(of: path.dropLast())
        } catch {
            throw LayerError("a hard link to \(quoted): \(error.reason)")
        }
        if found.missing.isEmpty, let inode = directories[slot(found.inode)].children[last] {
            guard !inodes[Int(inode)].isDirectory else {
                throw LayerError("a hard link to the directory \(quoted)")
            }
            return inode
        }
        guard !standsAlone, !last.starts(with: ".wh.".utf8) else {
            throw LayerError("a hard link to \(quoted), which the layer does not have before it")
        }
        var record = InodeRecord()
        record.mode = S_IFREG
        record.flags = InodeRecord.deferredLink
        try setText(of: &record, Array((found.path + [last]).joined(separator: [EntryPath.slash])))
        return try addInode(record)
    }
}
