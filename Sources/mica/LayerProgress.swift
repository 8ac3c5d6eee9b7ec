import Digests
import Images
import OCI
import Synchronization

/// One row for each layer, named, as in docker, by the beginning of its digest.
final class LayerProgress: Sendable {
    private let progress: Progress
    private let rows = Mutex<[Digest: Int]>([:])

    init(quiet: Bool) { progress = Progress(quiet: quiet) }

    func show(_ event: ImageLoad.Event) {
        switch event {
        case .alreadyThere(let layer):
            progress.finish(row(layer, total: nil), "already there")
        case .damaged(let layer):
            progress.finish(row(layer, total: nil), "there, but damaged: loading it again")
        case .reading(let layer, let done, let total):
            progress.update(row(layer, total: total), done: done)
        case .read(let layer, let contentSize):
            progress.finish(row(layer, total: nil), "\(Human.size(contentSize)) loaded")
        case .skipped(let entry):
            progress.finish(progress.add(entry.name, total: nil), "skipped: it is \(entry.kind)")
        }
    }

    func close() { progress.close() }

    private func row(_ layer: Digest, total: UInt64?) -> Int {
        rows.withLock { rows in
            if let row = rows[layer] { return row }
            let row = progress.add(String(layer.hex.prefix(12)), total: total)
            rows[layer] = row
            return row
        }
    }
}
