import CLinux
import Glibc
import Linux
import Overlay
import SystemPackage

/// The recorded map of a partial file's holes, by which a damaged copy of the file is told from the file.
extension PartialFile {
    /// Removes the recorded map before the holes change, because a copy made meanwhile would not match it.
    /// The file itself needs no map. Precondition: the lock is held alone.
    func unseal() throws(FSError) {
        guard data.isSealed else { return }
        try FSError.wrap { () throws(Errno) in
            try upper.marks.removeMap(of: file.fd)
            // The mark may be of the form that can't be told from a copy's.
            try upper.markPartial(file.fd)
        }
        data.isSealed = false
        unsealed.add(node)
    }

    /// Records the map. Precondition: no thread changes the file.
    func seal() throws(Errno) {
        try upper.marks.setMap(of: file.fd, below: min(data.limit, UInt64(file.fd.status().st_size)))
        data.isSealed = true
    }
}

/// Partial files whose map has changed since it was recorded.
final class UnsealedFiles: @unchecked Sendable {
    // Safe to share: `nodes` is only touched under `lock`.
    private let lock = Lock()
    private var nodes: [Entry] = []

    /// Weak, so that a deleted file's node can go.
    private struct Entry {
        weak var node: Node?
    }

    /// Called once for each node, which must be one that stays as long as it has a name.
    func add(_ node: Node) { lock.locked { nodes.append(Entry(node: node)) } }

    func take() -> [Node] {
        lock.locked {
            defer { nodes = [] }
            return nodes.compactMap(\.node)
        }
    }
}
