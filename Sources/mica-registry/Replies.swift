import FoundationEssentials
import Glibc
import Linux
import OCI
import Registry
import Synchronization

/// Standard output: a reply a line.
final class Replies: Sendable {
    private let lock = Mutex(())
    /// Blobs that come at a time.
    private let gate = Gate(4)

    func send(_ reply: RegistryMessage.Reply) {
        guard var line = try? JSONDocument.encode(reply) else { return }
        line.append(UInt8(ascii: "\n"))
        lock.withLock { _ in
            line.withUnsafeBytes { bytes in
                var done = 0
                while done < bytes.count {
                    let count = write(
                        STDOUT_FILENO,
                        bytes.baseAddress?.advanced(by: done),
                        bytes.count - done
                    )
                    if count < 0, errno != EINTR { exit(0) }
                    done += max(count, 0)
                }
            }
        }
    }

    /// Does what is asked, and says how it came out.
    func answer(_ request: RegistryMessage.Request, _ repository: Repository) {
        var reply = RegistryMessage.Reply(id: request.id)
        do {
            switch request.kind {
            case .manifest:
                let (mediaType, body) = try repository.manifest(request.name)
                reply.mediaType = mediaType
                reply.body = Data(body).base64EncodedString()
            case .document:
                let body = try repository.document(request.name, size: request.size ?? 0)
                reply.body = Data(body).base64EncodedString()
            case .blob:
                let size = request.size ?? 0
                gate.enter()
                defer { gate.leave() }
                try repository.blob(request.name, size: size, into: request.path ?? "") { done in
                    var news = RegistryMessage.Reply(id: request.id)
                    news.done = done
                    self.send(news)
                }
                reply.done = size
            }
        } catch let failure as Failure {
            reply.failure = failure.message
            reply.advice = failure.advice
        } catch {
            reply.failure = "\(error)"
        }
        reply.isLast = true
        send(reply)
    }
}
