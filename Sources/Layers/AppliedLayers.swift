import Linux
import Tar

import Glibc

/// The tree that results from unpacking layers one over another, for stacks in which a layer has entries below a
/// symbolic link of a layer below, or hard links to files of one. Such an entry changes a place that the layer's own
/// index does not name, so merging directories of the same path is not enough.
///
/// The tree is in memory, which only stacks that need it pay for.
struct AppliedLayers {
    struct Node {
        /// The input that its attributes and contents come from, and the inode there; nil for a directory that
        /// exists only because something is in it.
        var source: (input: Int, inode: UInt32)?
        /// DT_*.
        var kind: UInt8
        /// The last input that had it, or something in it: that input's whiteouts don't apply to it.
        var touched: Int
        /// For a directory, the position of its children in `children`.
        var slot = 0
    }

    /// The nodes from the root down to a directory, both included; never empty.
    typealias Way = [UInt32]

    /// A directory of the current input that is to be unpacked, and where to.
    private struct Job {
        let directory: UInt32
        let way: Way
    }

    /// A directory of the current input whose place is behind a symbolic link of an earlier input.
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
    /// How many directories exist only because links lead to them.
    private var made = 0

    private static let madeLimit = 1_000_000

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
        // Entries behind a link come after those at the layer's own places, links included.
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

    /// If a link leads to no directory, a directory takes its place.
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

    /// Resolves the hard links to files elsewhere, which may be hard links themselves.
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

    /// Makes a directory that only a link leads to.
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

    /// Hides a node, except for what the current input itself has there.
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
