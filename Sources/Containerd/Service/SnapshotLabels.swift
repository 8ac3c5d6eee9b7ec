import Linux

/// Labels that mean something to the service.
package enum SnapshotLabels {
    /// The chain ID of what is to be unpacked: a snapshot that has it already need not be.
    package static let chain = "containerd.io/snapshot.ref"
    static let userMapping = "containerd.io/snapshot/uidmapping"
    static let groupMapping = "containerd.io/snapshot/gidmapping"
    static let largestSize = "containerd.io/snapshot/max-size"

    /// Of a name and its value together, bytes, as containerd has it for its own.
    private static let longest = 4096
    /// Of all names and values of a snapshot together, bytes: what is told of it has to fit into a message.
    private static let largest = 256 << 10
    private static let most = 1024

    /// invalidArgument for labels that can't be kept, or whose meaning can't.
    static func check(_ labels: [String: String]) throws(Failure) {
        guard labels.count <= most else {
            throw Failure("\(labels.count) labels are more than \(most)", kind: .invalidArgument)
        }
        for (name, value) in labels {
            guard !name.isEmpty, name.utf8.count + value.utf8.count <= longest, !name.utf8.contains(0),
                !value.utf8.contains(0)
            else {
                throw Failure(
                    "the label \"\(name.prefix(64))\" has more than \(longest) bytes, no name, or zero bytes",
                    kind: .invalidArgument
                )
            }
        }
        let size = labels.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
        guard size <= largest else {
            throw Failure("the labels have \(size) bytes, more than \(largest)", kind: .invalidArgument)
        }
        if let size = labels[largestSize] {
            throw Failure(
                "the label \(largestSize)=\(size) asks for a limit that this snapshotter can't hold",
                advice: "Leave it out, or give the container a filesystem of its own.",
                kind: .invalidArgument
            )
        }
        _ = try mountOptions(labels)
    }

    /// The same for labels that replace `old`: which chain a snapshot is, or is to be unpacked from, is said when it is
    /// made, because how it is mounted depends on that.
    static func check(_ labels: [String: String], changedFrom old: [String: String]) throws(Failure) {
        try check(labels)
        guard let chain = labels[SnapshotLabels.chain], chain != old[SnapshotLabels.chain] else { return }
        throw Failure(
            "the label \(SnapshotLabels.chain) is given to a snapshot when it is made, not afterwards",
            kind: .invalidArgument
        )
    }

    /// What micafs is told so that files are shown as those of other ids.
    static func mountOptions(_ labels: [String: String]) throws(Failure) -> [String] {
        var options: [String] = []
        for (label, option) in [(userMapping, "uidmapping"), (groupMapping, "gidmapping")] {
            guard let mapping = labels[label] else { continue }
            options.append("\(option)=\(try ranges(mapping, of: label))")
        }
        return options
    }

    /// `0:100000:65536,…`, ids in the container, those on the host, and how many; the same with colons throughout.
    private static func ranges(_ mapping: String, of label: String) throws(Failure) -> String {
        var numbers: [String] = []
        var taken: [(inside: Range<UInt64>, outside: Range<UInt64>)] = []
        for range in mapping.split(separator: ",", omittingEmptySubsequences: false) {
            let fields = range.split(separator: ":", omittingEmptySubsequences: false)
            let values = fields.compactMap { $0.utf8.allSatisfy(isDigit) ? UInt32($0) : nil }.map(UInt64.init)
            // The largest number is no id.
            let isRange =
                fields.count == 3 && values.count == 3 && values[2] > 0
                && values.prefix(2).allSatisfy { $0 + values[2] <= UInt32.max }
            guard isRange else {
                throw Failure(
                    "the label \(label) is \"\(mapping)\"; ranges such as 0:100000:65536, with commas between, were expected",
                    kind: .invalidArgument
                )
            }
            let (inside, outside) = (values[0]..<values[0] + values[2], values[1]..<values[1] + values[2])
            // An id that stands for two others has no way back.
            guard !taken.contains(where: { $0.inside.overlaps(inside) || $0.outside.overlaps(outside) })
            else {
                throw Failure(
                    "the label \(label) is \"\(mapping)\", whose ranges overlap",
                    kind: .invalidArgument
                )
            }
            taken.append((inside, outside))
            numbers += fields.map(String.init)
        }
        return numbers.joined(separator: ":")
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
}
