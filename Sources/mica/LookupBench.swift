import Containers
import Digests
import Layers
import Linux
import SystemPackage

import Glibc

/// Measures lookups in one stack of layers.
struct LookupBench {
    /// Times in nanoseconds per name.
    struct Result: Encodable {
        var layers: Int
        var entries: Int
        var index: Double
        var indexAbsent: Double
        var mountFirst: Double?
        var mountFirstAbsent: Double?
        var mountAgain: Double?
        var mountAgainAbsent: Double?
    }

    private static let rounds = 9

    private let layout: StoreLayout
    private let layers: [Digest]
    private let index: LayerIndex
    private let present: LookupSample
    private let absent: LookupSample

    /// - Parameters:
    ///   - layers: bottom to top.
    ///   - sample: the most names to look up; they are spread evenly over the tree.
    init(_ layers: [Digest], in layout: StoreLayout, sample: Int) throws {
        (self.layout, self.layers) = (layout, layers)
        index = try ChainStore(layout: layout).index(for: layers)
        present = try LookupSample(of: index, limit: sample, suffix: "")
        absent = try LookupSample(of: index, limit: sample, suffix: "~?")
    }

    func measure(mounted: Bool) throws -> Result {
        var result = Result(
            layers: layers.count,
            entries: index.entryCount,
            index: try inIndex(present, finding: true),
            indexAbsent: try inIndex(absent, finding: false)
        )
        if mounted { try throughMount(&result) }
        return result
    }

    private func inIndex(_ sample: LookupSample, finding: Bool) throws -> Double {
        // In random order, so that every search starts at another place.
        let order = Array(0..<sample.count).shuffled()
        var times: [Double] = []
        for _ in 0..<LookupBench.rounds {
            var found = 0
            let time = try ContinuousClock().measure {
                for i in order {
                    let hit = try sample.withName(i) { (name, directory) throws(FSError) in
                        try index.lookup(name, in: directory) != nil
                    }
                    if hit { found += 1 }
                }
            }
            guard found == (finding ? sample.count : 0) else {
                throw Failure("the index found \(found) of \(sample.count) names: it is damaged or changing")
            }
            times.append(time / .nanoseconds(1) / Double(sample.count))
        }
        return median(times)
    }

    private func throughMount(_ result: inout Result) throws {
        var template = Array("/tmp/mica-bench-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Failure("create a directory in /tmp", .last) }
        let scratch = FilePath(platformString: template)
        defer { try? scratch.removeTree() }
        let target = scratch.appending("mount")
        try target.makeDirectory()
        let lock = try FileLock(scratch.appending("lock"))
        try DaemonMount(layout).mount(
            RootTree(layers: layers, snapshot: nil, source: "bench", options: Mounts.confining),
            at: target,
            lock: lock.raw,
            log: scratch.appending("log")
        ) {}
        defer { _ = target.withPlatformString { umount2($0, CInt(MNT_DETACH)) } }

        let directory = try OwnedFD.open(target, O_RDONLY | O_DIRECTORY)
        // The directories of a path are looked up on the way, once.
        result.mountFirst = try look(at: present, in: directory) / Double(present.lookups)
        result.mountFirstAbsent = try look(at: absent, in: directory) / Double(absent.count)
        var again: [Double] = []
        var againAbsent: [Double] = []
        for _ in 0..<LookupBench.rounds {
            again.append(try look(at: present, in: directory) / Double(present.count))
            againAbsent.append(try look(at: absent, in: directory) / Double(absent.count))
        }
        result.mountAgain = median(again)
        result.mountAgainAbsent = median(againAbsent)
    }

    /// lstat(2) of every path. Nanoseconds for all of them.
    private func look(at sample: LookupSample, in directory: borrowing OwnedFD) throws -> Double {
        let raw = directory.raw
        var status = FileStatus()
        var unexpected: Errno?
        let time = ContinuousClock().measure {
            for i in 0..<sample.count {
                let result = sample.withPath(i) { fstatat(raw, $0, &status, AT_SYMLINK_NOFOLLOW) }
                if result == -1, Errno.last != .noSuchFileOrDirectory { unexpected = .last }
            }
        }
        if let unexpected { throw Failure("lstat through the mount", unexpected) }
        return time / .nanoseconds(1)
    }

    private func median(_ times: [Double]) -> Double {
        times.sorted()[times.count / 2]
    }
}
