import Linux
import OCI
import Synchronization

/// A blob on its way into a file.
package final class BlobDownload: BlobArrival, @unchecked Sendable {
    // Safe to share: what changes is guarded by `lock`, which is held while it is waited.
    private let client: RegistryClient
    private let request: Int
    private let size: UInt64
    private let lock = Lock()
    private var done: UInt64 = 0
    private var failed = false

    init(_ client: RegistryClient, request: Int, size: UInt64) {
        self.client = client
        self.request = request
        self.size = size
    }

    package func arrived(beyond offset: UInt64) throws -> UInt64 {
        lock.lock()
        defer { lock.unlock() }
        while done <= offset, done < size {
            do {
                let reply = try client.reply(to: request)
                done = max(done, min(reply.done ?? 0, size))
                if reply.isLast, done < size {
                    throw Failure("the registry sent \(done) of \(size) bytes")
                }
            } catch {
                failed = true
                throw error
            }
        }
        return done
    }

    /// The rest has not come, and does not.
    var hasFailed: Bool { lock.locked { failed } }
}
