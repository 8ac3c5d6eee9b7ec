import CLinux
import Glibc
import Linux
import Overlay
import SystemPackage

/// What a partial file's marks say of where its holes are, for whoever has a copy of it.
extension PartialFile {
    /// Before the map changes: what is noted of it would be wrong in a copy made meanwhile. The file itself needs no
    /// note. Precondition: alone.
    func unseal() throws(FSError) {
        guard data.isSealed else { return }
        try FSError.wrap { () throws(Errno) in
            try upper.marks.removeMap(of: file.fd)
            // It may be of the form that can't be told from a copy's.
            try upper.markPartial(file.fd)
        }
        data.isSealed = false
        unsealed.add(node)
    }

    /// Notes what the map is. Precondition: nobody changes the file.
    func seal() throws(Errno) {
        try upper.marks.setMap(of: file.fd, below: min(data.limit, UInt64(file.fd.status().st_size)))
        data.isSealed = true
    }
}

/// Partial files whose map has changed and is not noted.
final class UnsealedFiles: @unchecked Sendable {
    // Safe to share: `nodes` is only touched under `lock`.
    private let lock = Lock()
    private var nodes: [Entry] = []

    /// What is deleted goes.
    private struct Entry {
        weak var node: Node?
    }

    /// Once for each. The node must be one that stays as long as it has a name.
    func add(_ node: Node) { lock.locked { nodes.append(Entry(node: node)) } }

    func take() -> [Node] {
        lock.locked {
            defer { nodes = [] }
            return nodes.compactMap(\.node)
        }
    }
}
