import CLinux
import Glibc
import Linux
import OCI
import Synchronization
import SystemPackage

/// A repository of a registry, by way of the process mica-registry. That has HTTP and TLS, so mounts and containers don't
/// pay for them; and the process that parses a registry's answers has nothing of the store open.
package final class RegistryClient: @unchecked Sendable {
    // Safe to share: everything that changes is guarded by `lock`.
    private let process: HostProcess
    private let requests: OwnedFD
    private let lock = Lock()
    private var replies: [Int: [RegistryMessage.Reply]] = [:]
    private var next = 1
    /// mica-registry has ended.
    private var isOver = false
    private var reader: WorkerThread?

    /// Starts it.
    package init(_ opening: RegistryMessage.Opening) throws {
        let toIt = try naming("make a pipe") { try Pipe() }
        let fromIt = try naming("make a pipe") { try Pipe() }
        process = try HostProcess(
            [RegistryClient.program().string],
            descriptors: [toIt.read.raw, fromIt.write.raw, STDERR_FILENO]
        )
        requests = toIt.takeWriteEnd()
        let output = OpenFile(fromIt.takeReadEnd())
        try send(opening)
        reader = try naming("start a thread") { try WorkerThread { self.read(output) } }
    }

    deinit { reader?.detach() }

    /// Ends all requests that are not answered yet: their replies fail.
    package func stop() { kill(process.pid, SIGTERM) }

    /// Ends mica-registry, and all that it still does.
    package func close() {
        stop()
        reader?.join()
        _ = try? process.wait()
    }

    // MARK: - Requests

    /// Sends a request and waits for its last reply.
    func answer(
        _ kind: RegistryMessage.Request.Kind,
        _ name: String = "",
        _ details: (inout RegistryMessage.Request) -> Void = { _ in }
    ) throws -> RegistryMessage.Reply {
        let id = try ask(kind, name, details)
        while true {
            let reply = try reply(to: id)
            if reply.isLast { return reply }
        }
    }

    /// Sends a request, and returns its number at once.
    func ask(
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
        // Replies before the last one say how far it is: only the newest counts.
        guard let reply = replies.removeValue(forKey: id)?.last else { throw Failure("no reply") }
        if let failure = reply.failure {
            throw Failure(failure, advice: reply.advice, kind: reply.isMissing == true ? .notFound : .other)
        }
        return reply
    }

    private func send(_ message: some Encodable) throws {
        let line = try JSONDocument.encode(message) + [UInt8(ascii: "\n")]
        // If mica-registry has ended, waiting for the reply fails.
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

    /// $MICA_REGISTRY, or mica-registry beside this program or in ../libexec/mica.
    private static func program() throws -> FilePath {
        if let path = getenv("MICA_REGISTRY"), path.pointee != 0 { return FilePath(String(cString: path)) }
        let directory = try HostProcess.program().removingLastComponent()
        for path in [
            directory.appending("mica-registry"), directory.appending("../libexec/mica/mica-registry"),
        ]
        where access(path.string, X_OK) == 0 {
            return path
        }
        throw Failure(
            "mica-registry is not installed: it is not in \(directory)",
            advice: "Install it beside mica, or set MICA_REGISTRY to its path."
        )
    }
}
