import Glibc

// Resolving symbolic links. The root's parent is the root: nothing leaves the tree.
extension AppliedLayers {
    /// The same limit as within one layer: a longer path is treated like a circle.
    private static let stepLimit = 1 << 14

    /// A path into the tree, and the names behind it that are missing.
    private struct Place {
        var way: Way
        var missing: [[UInt8]] = []

        mutating func goUp() {
            if missing.popLast() == nil, way.count > 1 { way.removeLast() }
        }
    }

    /// The path to the directory at `path`, which is relative to the end of `way` or begins with a slash; missing
    /// directories are made. nil where something on it is no directory, or it leads through too many links.
    mutating func directory(_ path: [UInt8], from way: Way) throws -> Way? {
        guard let place = try place(path, from: way) else { return nil }
        var way = place.way
        for name in place.missing { way.append(try makeDirectory(name, in: way.last ?? 0)) }
        return way
    }

    /// The file at `path`, from the root; links on the path are followed, but not the last name. nil where there is
    /// nothing, or a directory.
    func file(_ path: [UInt8]) throws -> UInt32? {
        guard let name = path.split(separator: EntryPath.slash).last else { return nil }
        guard let place = try place(Array(path.dropLast(name.count)), from: [0]), place.missing.isEmpty,
            let node = child(Array(name), of: place.way.last ?? 0), nodes[Int(node)].kind != UInt8(DT_DIR)
        else { return nil }
        return node
    }

    private func place(_ path: [UInt8], from way: Way) throws -> Place? {
        var place = Place(way: path.first == EntryPath.slash ? [0] : way)
        var rest = Array(path.split(separator: EntryPath.slash).reversed())
        var (links, steps) = (0, 0)
        while let component = rest.popLast() {
            steps += 1
            if component.elementsEqual(".".utf8) { continue }
            if component.elementsEqual("..".utf8) {
                place.goUp()
                continue
            }
            guard place.missing.isEmpty, let node = child(Array(component), of: place.way.last ?? 0) else {
                // No layer could have such a name: it is too long, or a whiteout's.
                guard component.count <= EntryPath.componentLimit, !component.starts(with: ".wh.".utf8) else {
                    return nil
                }
                place.missing.append(Array(component))
                continue
            }
            switch nodes[Int(node)].kind {
            case UInt8(DT_DIR): place.way.append(node)
            case UInt8(DT_LNK):
                links += 1
                guard links <= LayerTree.linkLimit, steps <= Self.stepLimit, let target = try target(of: node)
                else {
                    return nil
                }
                if target.first == EntryPath.slash { place.way = [0] }
                rest += target.split(separator: EntryPath.slash).reversed()
            default: return nil
            }
        }
        return place
    }
}
