import Linux
import Tar

import Glibc

/// The tree that layers make when one after another is unpacked over what is there: for stacks in which a layer
/// has entries below a symbolic link of one below it, or hard links to files of one. Such an entry changes a place
/// that the layer's own index does not name, so that merging directories of the same path is not enough.
///
/// All of it is in memory: only stacks that need it pay for it.
struct AppliedLayers {
    struct Node {
        /// Which of the inputs its attributes and contents are of, and the inode there. A directory that is there
        /// only because something is in it has none.
        var source: (input: Int, inode: UInt32)?
        /// DT_*.
        var kind: UInt8
        /// The last input that had it, or something in it: that input's whiteouts don't mean it.
        var touched: Int
        /// Of a directory, where its children are in `children`.
        var slot = 0
    }

    /// From the root down to a directory, both included; never empty.
    typealias Way = [UInt32]

    /// A directory of the input that is unpacked, and where to.
    private struct Job {
        let directory: UInt32
        let way: Way
    }

    /// What is behind a symbolic link of an earlier input.
    private struct Detour {
        let directory: UInt32
        let name: [UInt8]
        let link: UInt32
        let way: Way
    }

    struct Link {
        let name: [UInt8]
        let target: [UInt8]
        let directory: UInt32
    }

    private let inputs: [LayerIndex]
    private(set) var nodes: [Node] = []
    private(set) var children: [[[UInt8]: UInt32]] = []
    /// The input that is being unpacked.
    private var input = 0
    private var jobs: [Job] = []
    private var detours: [Detour] = []
    private var links: [Link] = []
    /// Directories that only links have made.
    private var made = 0

    /// As many as a layer may have entries.
    private static let madeLimit = ImportLimits.standard.entries

    /// `inputs`: bottom to top; the first may be a chain.
    init(_ inputs: [LayerIndex]) throws {
        self.inputs = inputs
        _ = addDirectory(nil)
        for number in inputs.indices { try apply(number) }
    }

    func sortedChildren(of directory: UInt32) -> [(key: [UInt8], value: UInt32)] {
        children[nodes[Int(directory)].slot].sorted { $0.key.lexicographicallyPrecedes($1.key) }
    }

    private mutating func apply(_ number: Int) throws {
        input = number
        let root = try inputs[number].inode(0)
        if root.isOpaque { clear(0) }
        if !root.isImplied { nodes[0].source = (number, 0) }
        // What goes through a link comes after what the layer has at its own places, links among it.
        jobs = [Job(directory: 0, way: [0])]
        while true {
            if let job = jobs.popLast() {
                try merge(job)
            } else if !detours.isEmpty {
                let detours = detours
                self.detours = []
                for detour in detours { try follow(detour) }
            } else {
                break
            }
        }
        try complete()
    }

    // MARK: One directory

    private mutating func merge(_ job: Job) throws {
        let index = inputs[input]
        let directory = job.way.last ?? 0
        for slot in try index.inode(job.directory).entries {
            let entry = try index.entry(slot)
            let name = [UInt8](entry.name)
            let known = child(name, of: directory)
            if entry.isWhiteout {
                if let known { hide(known, name, in: directory) }
                continue
            }
            let record = try index.inode(entry.inode)
            if record.isDirectory {
                try merge(record, entry.inode, name, over: known, in: job.way)
            } else if record.isDeferredLink {
                let target = [UInt8](try index.target(of: record))
                links.append(Link(name: name, target: target, directory: directory))
            } else {
                put(
                    add(Node(source: (input, entry.inode), kind: entry.kind, touched: input)),
                    name,
                    in: directory
                )
            }
        }
    }

    private mutating func merge(
        _ record: InodeRecord,
        _ inode: UInt32,
        _ name: [UInt8],
        over known: UInt32?,
        in way: Way
    ) throws {
        if let known, nodes[Int(known)].kind == UInt8(DT_DIR) {
            nodes[Int(known)].touched = input
            if record.isOpaque { clear(known) }
            if !record.isImplied { nodes[Int(known)].source = (input, inode) }
            jobs.append(Job(directory: inode, way: way + [known]))
        } else if let known, nodes[Int(known)].kind == UInt8(DT_LNK), record.isImplied {
            detours.append(Detour(directory: inode, name: name, link: known, way: way))
        } else {
            let new = addDirectory((input, inode))
            put(new, name, in: way.last ?? 0)
            jobs.append(Job(directory: inode, way: way + [new]))
        }
    }

    /// Where a link leads to no directory, a directory takes its place.
    private mutating func follow(_ detour: Detour) throws {
        guard let target = try target(of: detour.link), let way = try directory(target, from: detour.way)
        else {
            let new = addDirectory((input, detour.directory))
            put(new, detour.name, in: detour.way.last ?? 0)
            jobs.append(Job(directory: detour.directory, way: detour.way + [new]))
            return
        }
        for node in way { nodes[Int(node)].touched = input }
        if try inputs[input].inode(detour.directory).isOpaque { clear(way.last ?? 0) }
        jobs.append(Job(directory: detour.directory, way: way))
    }

    /// The hard links to what is elsewhere, perhaps to one another.
    private mutating func complete() throws {
        while !links.isEmpty {
            var left: [Link] = []
            for link in links {
                guard let target = try file(link.target) else {
                    left.append(link)
                    continue
                }
                var node = nodes[Int(target)]
                node.touched = input
                put(add(node), link.name, in: link.directory)
            }
            guard left.count < links.count else {
                throw Failure(
                    "layer \(inputs[input].layers.last.map { "\($0)" } ?? "?"): the hard link "
                        + "\(String.quoting(left[0].name)) is to \(String.quoting(left[0].target)), which neither "
                        + "the layer nor those below it have"
                )
            }
            links = left
        }
    }

    // MARK: Nodes

    func child(_ name: [UInt8], of directory: UInt32) -> UInt32? {
        children[nodes[Int(directory)].slot][name]
    }

    private mutating func put(_ node: UInt32, _ name: [UInt8], in directory: UInt32) {
        children[nodes[Int(directory)].slot][name] = node
    }

    private mutating func add(_ node: Node) -> UInt32 {
        nodes.append(node)
        return UInt32(nodes.count - 1)
    }

    private mutating func addDirectory(_ source: (input: Int, inode: UInt32)?) -> UInt32 {
        children.append([:])
        return add(Node(source: source, kind: UInt8(DT_DIR), touched: input, slot: children.count - 1))
    }

    /// A directory that nothing but a link asks for.
    mutating func makeDirectory(_ name: [UInt8], in directory: UInt32) throws -> UInt32 {
        made += 1
        guard made <= Self.madeLimit else {
            throw Failure(
                "its symbolic links lead to more than \(Self.madeLimit) directories that are not there"
            )
        }
        let new = addDirectory(nil)
        put(new, name, in: directory)
        return new
    }

    /// What this input has itself stays.
    private mutating func hide(_ node: UInt32, _ name: [UInt8], in directory: UInt32) {
        if nodes[Int(node)].touched < input {
            children[nodes[Int(directory)].slot][name] = nil
        } else if nodes[Int(node)].kind == UInt8(DT_DIR) {
            clear(node)
        }
    }

    private mutating func clear(_ directory: UInt32) {
        var rest = [directory]
        while let directory = rest.popLast() {
            let slot = nodes[Int(directory)].slot
            children[slot] = children[slot].filter { nodes[Int($0.value)].touched == input }
            rest += children[slot].values.filter { nodes[Int($0)].kind == UInt8(DT_DIR) }
        }
    }

    func target(of link: UInt32) throws -> [UInt8]? {
        guard let source = nodes[Int(link)].source else { return nil }
        let index = inputs[source.input]
        return [UInt8](try index.target(of: index.inode(source.inode)))
    }
}
