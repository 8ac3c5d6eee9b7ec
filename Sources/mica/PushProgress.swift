import Digests
import Images
import Linux
import OCI
import Synchronization

/// One row for each layer, as in `LayerProgress`.
final class PushProgress: Sendable {
    private let progress: Progress
    private let rows = Mutex<[String: Int]>([:])

    init(quiet: Bool) {
        progress = Progress(quiet: quiet)
    }

    func show(_ event: ImagePush.Event) {
        switch event {
        case .alreadyThere(let layer): progress.finish(row(layer, nil), "already there")
        case .mounted(let layer, let other): progress.finish(row(layer, nil), "mounted from \(other)")
        case .compressing(let layer, let done, let total):
            progress.update(row(layer, total, " compressed"), done: done)
        case .sending(let layer, let done, let total): progress.update(row(layer, total), done: done)
        case .sent(let layer, let size): progress.finish(row(layer, size), "\(Human.size(size)) pushed")
        // Also where only the digest is asked for: it may be another one than expected.
        case .note(let words): Mica.complain(words)
        }
    }

    func close() { progress.close() }

    private func row(_ layer: Digest, _ total: UInt64?, _ what: String = "") -> Int {
        let label = "\(layer.hex.prefix(12))\(what)"
        return rows.withLock { rows in
            if let row = rows[label] { return row }
            let row = progress.add(label, total: total)
            rows[label] = row
            return row
        }
    }
}
