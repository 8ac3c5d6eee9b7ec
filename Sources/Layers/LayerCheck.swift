package import Digests
import Linux
import SystemPackage

import Glibc

/// Checks that a layer in the store is what was loaded: its index, pack and recipe, and the objects that it needs.
package struct LayerCheck: Sendable {
    /// A damaged or missing part, and what is wrong with it.
    package struct Damage: Sendable, Equatable {
        package enum Part: Sendable, Equatable {
            /// The layer's own directory: index, pack, recipe.
            case layer
            case object(Digest)
        }
        package var part: Part
        package var problem: String
    }

    private let layout: StoreLayout

    package init(layout: StoreLayout) { self.layout = layout }

    /// Whether the layer is complete and unchanged. It reads everything, because it makes the tar again and compares
    /// it with the diffID.
    package func isWhole(_ diffID: Digest) -> Bool {
        do {
            let index = try ChainStore(layout: layout).layer(diffID)
            try LayerExport(layout: layout).write(diffID) { _ in }
            // The tar does not have holes.
            let extents = try extents(of: diffID, isDeep: true)
            for number in 0..<index.objectCount {
                let (digest, size) = try index.object(number)
                guard let extents = extents[digest], extents.reduce(0, { $0 &+ $1.length }) < size else {
                    continue
                }
                guard try ObjectCheck(layout.object(digest)).hasHoles(beside: extents, size: size) else {
                    return false
                }
            }
            return true
        } catch {
            return false
        }
    }

    /// What is damaged; empty where nothing is. `isDeep`: reads everything. Otherwise it checks only the files'
    /// sizes, and the checksums of index and recipe. `known`: objects that were found whole already, to which those
    /// found now are added.
    package func damage(of diffID: Digest, isDeep: Bool, known: inout Set<Digest>) -> [Damage] {
        // A layer that gives its tar back is whole, whatever its objects' names: older stores named them by SHA-256.
        if isDeep, isWhole(diffID), let index = try? ChainStore(layout: layout).layer(diffID) {
            for number in 0..<index.objectCount {
                if let object = try? index.object(number) { known.insert(object.digest) }
            }
            return []
        }
        var damage: [Damage] = []
        var objects: [(digest: Digest, size: UInt64)] = []
        do {
            let index = try ChainStore(layout: layout).layer(diffID)
            objects = try (0..<index.objectCount).map { try index.object($0) }
            try checkPack(of: diffID, index)
        } catch {
            damage.append(Damage(part: .layer, problem: "\(error)"))
        }
        var extents: [Digest: [(offset: UInt64, length: UInt64)]] = [:]
        do {
            extents = try self.extents(of: diffID, isDeep: isDeep)
        } catch {
            damage.append(Damage(part: .layer, problem: "\(error)"))
        }
        for object in objects where !known.contains(object.digest) {
            if let problem = problem(with: object, isDeep ? extents[object.digest] : nil, isDeep: isDeep) {
                damage.append(Damage(part: .object(object.digest), problem: problem))
            } else {
                known.insert(object.digest)
            }
        }
        if isDeep, damage.isEmpty {
            do {
                try LayerExport(layout: layout).write(diffID) { _ in }
            } catch {
                damage.append(Damage(part: .layer, problem: "\(error)"))
            }
        }
        return damage
    }

    /// The pack must have at least what the index refers to.
    private func checkPack(of diffID: Digest, _ index: LayerIndex) throws {
        let path = layout.layer(diffID).appending("pack")
        let size = UInt64(clamping: try naming("read \(path)") { try path.status().st_size })
        for number in 0..<index.inodeCount {
            let inode = try index.inode(number)
            guard inode.contentKind == ContentKind.packed.rawValue else { continue }
            let (end, overflow) = inode.content.addingReportingOverflow(inode.size)
            guard !overflow, end <= size else { throw Failure("\(path) is cut short: it has \(size) bytes") }
        }
    }

    /// Where the tar had each object's data, from the recipe. Without `isDeep`, only the recipe's header is read.
    private func extents(
        of diffID: Digest,
        isDeep: Bool
    ) throws -> [Digest: [(offset: UInt64, length: UInt64)]] {
        let recipe = try RecipeReader(layout.layer(diffID).appending("recipe"))
        guard recipe.header.diffID == diffID else {
            throw recipe.damaged("it is that of \(recipe.header.diffID)")
        }
        var found: [Digest: [(offset: UInt64, length: UInt64)]] = [:]
        guard isDeep else { return found }
        var current: Digest?
        while let step = try recipe.next() {
            guard case .object(let digest, let offset, let count) = step else {
                current = nil
                continue
            }
            // One content may be in several files: once is enough.
            if current != digest, found[digest] != nil { continue }
            current = digest
            found[digest, default: []].append((offset, count))
        }
        return found
    }

    private func problem(
        with object: (digest: Digest, size: UInt64),
        _ extents: [(offset: UInt64, length: UInt64)]?,
        isDeep: Bool
    ) -> String? {
        let path = layout.object(object.digest)
        do {
            let status = try path.status()
            guard status.st_mode & S_IFMT == S_IFREG else { return "\(path) is no file" }
            guard UInt64(clamping: status.st_size) == object.size else {
                return "\(path) has \(status.st_size) bytes and should have \(object.size)"
            }
            guard isDeep else { return nil }
            let isWhole = try ObjectCheck(path).isWhole(object.digest, size: object.size, extents: extents)
            return isWhole ? nil : "\(path) has other content than its name says"
        } catch {
            return "\(path): \(error)"
        }
    }
}
