import Linux
import Snapshots

import Glibc

/// Keeps layers in the store while they are read for a long time without the store's lock, so that other processes can
/// remove images and collect meanwhile. Ends with `end`, or by itself some minutes after the process was killed.
final class LayerLease: @unchecked Sendable {
    // Safe to share: `isOver` is guarded by `lock`.
    private let store: Store
    private let id: String
    private let lock = Lock()
    private var isOver = false
    private var renewal: WorkerThread?

    /// Nanoseconds from one renewal to the end, and milliseconds to the next one: two may fail.
    private static let duration: Int64 = 300 * 1_000_000_000
    private static let interval = 90_000

    /// `purpose`: the first word of the lease's name. `layers`: of the store. The caller holds the store's lock until
    /// this returns.
    init(_ store: Store, for purpose: String, layers: [NewLayer]) throws {
        self.store = store
        id = "\(purpose) \(getpid()) \(String(UInt64.random(in: 0...UInt64.max), radix: 16))"
        try hold(layers)
        renewal = try naming("start a thread") { try WorkerThread { self.renew() } }
    }

    private func hold(_ layers: [NewLayer] = []) throws {
        let expires = KernelClock.now(CLOCK_REALTIME) + LayerLease.duration
        // A push can be what a user does against a full disk.
        try store.lease(id, expires: expires, layers: layers, freeing: true)
    }

    private func renew() {
        while true {
            lock.lock()
            if !isOver { lock.wait(milliseconds: LayerLease.interval) }
            let isOver = isOver
            lock.unlock()
            guard !isOver else { return }
            // What is read then says so if the layers have gone.
            try? hold()
        }
    }

    /// The layers stay only if something else has them.
    func end() {
        lock.lock()
        isOver = true
        lock.wakeAll()
        lock.unlock()
        renewal?.join()
        try? store.removeLease(id)
    }
}
