import Linux

/// Labels that mean something to the service.
package enum SnapshotLabels {
    /// The chain ID of what is to be unpacked: a snapshot that has it already need not be.
    package static let chain = "containerd.io/snapshot.ref"
    static let userMapping = "containerd.io/snapshot/uidmapping"
    static let groupMapping = "containerd.io/snapshot/gidmapping"
    static let largestSize = "containerd.io/snapshot/max-size"

    /// Of names and values together, as containerd has it for its own.
    private static let longest = 4096
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
        if let size = labels[largestSize] {
            throw Failure(
                "the label \(largestSize)=\(size) asks for a limit that this snapshotter can't hold",
                advice: "Leave it out, or give the container a filesystem of its own.",
                kind: .invalidArgument
            )
        }
        _ = try mountOptions(labels)
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
            numbers += fields.map(String.init)
        }
        return numbers.joined(separator: ":")
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
}
