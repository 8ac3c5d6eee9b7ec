package import Digests
package import OCI
package import SystemPackage

import CLinux
import FoundationEssentials
import Glibc
import Linux
import Synchronization

/// A repository of a registry, by way of mica-registry, which has HTTP and TLS in it: so that nothing that mounts or runs
/// pays for them, and what reads a stranger's answers is a process that has nothing of the store open.
package final class RegistryClient: @unchecked Sendable {
    // Safe to share: everything that changes is guarded by `lock`.
    package let reference: ImageReference
    private let process: HostProcess
    private let requests: OwnedFD
    private let lock = Lock()
    private var replies: [Int: [RegistryMessage.Reply]] = [:]
    private var next = 1
    /// mica-registry has ended.
    private var isOver = false
    private var reader: WorkerThread?

    /// Starts it. `program`: its path.
    package init(_ reference: ImageReference, program: FilePath, verifiesTLS: Bool) throws {
        self.reference = reference
        let toIt = try naming("make a pipe") { try Pipe() }
        let fromIt = try naming("make a pipe") { try Pipe() }
        process = try HostProcess(
            [program.string],
            descriptors: [toIt.read.raw, fromIt.write.raw, STDERR_FILENO]
        )
        requests = toIt.takeWriteEnd()
        let output = OpenFile(fromIt.takeReadEnd())
        try send(
            RegistryMessage.Opening(domain: reference.domain, path: reference.path, verifiesTLS: verifiesTLS)
        )
        reader = try naming("start a thread") { try WorkerThread { self.read(output) } }
    }

    deinit { reader?.detach() }

    /// What is still to come does not come any more.
    package func stop() { kill(process.pid, SIGTERM) }

    /// Nothing more is asked: ends mica-registry and what it still does.
    package func close() {
        stop()
        reader?.join()
        _ = try? process.wait()
    }

    // MARK: - Requests

    /// What a tag or a digest names, as it came.
    package func manifest(_ name: String) throws -> (mediaType: String, bytes: [UInt8]) {
        let reply = try answer(.manifest, name)
        return (reply.mediaType ?? "", try body(reply))
    }

    /// A small blob. Its digest is for the caller to check.
    package func document(_ digest: Digest, size: UInt64) throws -> [UInt8] {
        try body(try answer(.document, digest.description) { $0.size = size })
    }

    /// Has a blob brought into the file at `path`, from where that ends on. Returns at once.
    package func download(_ digest: Digest, size: UInt64, into path: FilePath) throws -> BlobDownload {
        let id = try ask(.blob, digest.description) {
            $0.size = size
            $0.path = path.string
        }
        return BlobDownload(self, request: id, size: size)
    }

    private func answer(
        _ kind: RegistryMessage.Request.Kind,
        _ name: String,
        _ details: (inout RegistryMessage.Request) -> Void = { _ in }
    ) throws -> RegistryMessage.Reply {
        try reply(to: ask(kind, name, details))
    }

    private func ask(
        _ kind: RegistryMessage.Request.Kind,
        _ name: String,
        _ details: (inout RegistryMessage.Request) -> Void
    ) throws -> Int {
        let id = lock.locked { () -> Int in
            defer { next += 1 }
            return next
        }
        var request = RegistryMessage.Request(id: id, kind: kind, name: name)
        details(&request)
        try send(request)
        return id
    }

    /// Waits for the next reply to a request. Failure: what it says, or that mica-registry has ended.
    func reply(to id: Int) throws -> RegistryMessage.Reply {
        lock.lock()
        defer { lock.unlock() }
        while replies[id, default: []].isEmpty {
            guard !isOver else { throw Failure("mica-registry has ended before it answered") }
            lock.wait()
        }
        // What is asked for is how far it is: only the latest.
        guard let reply = replies.removeValue(forKey: id)?.last else { throw Failure("no reply") }
        if let failure = reply.failure { throw Failure(failure, advice: reply.advice) }
        return reply
    }

    private func body(_ reply: RegistryMessage.Reply) throws -> [UInt8] {
        guard let text = reply.body, let bytes = Data(base64Encoded: text) else {
            throw Failure("mica-registry's answer can't be read")
        }
        return Array(bytes)
    }

    private func send(_ message: some Encodable) throws {
        let line = try JSONDocument.encode(message) + [UInt8(ascii: "\n")]
        // Whoever has ended is told of by the replies that don't come.
        _ = lock.locked {
            requests.use { fd in
                line.withUnsafeBytes { bytes in
                    bytes.baseAddress.map { clinux_write_quietly(fd, $0, bytes.count) }
                }
            }
        }
    }

    // MARK: - Replies

    private func read(_ output: OpenFile) {
        var pending: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = buffer.withUnsafeMutableBytes { (try? output.fd.read(into: $0)) ?? 0 }
            guard count > 0 else { break }
            pending += buffer[..<count]
            while let end = pending.firstIndex(of: UInt8(ascii: "\n")) {
                note(Array(pending[..<end]))
                pending.removeSubrange(...end)
            }
        }
        lock.lock()
        isOver = true
        lock.wakeAll()
        lock.unlock()
    }

    private func note(_ line: [UInt8]) {
        guard
            let reply = try? JSONDocument.decode(
                RegistryMessage.Reply.self,
                from: line,
                name: "mica-registry's answer"
            )
        else { return }
        lock.lock()
        replies[reply.id, default: []].append(reply)
        lock.wakeAll()
        lock.unlock()
    }
}
