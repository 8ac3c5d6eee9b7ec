import FoundationEssentials
import Glibc
import Linux
import OCI
import Registry
import Synchronization

/// Standard output: a reply a line.
final class Replies: Sendable {
    private let lock = Mutex(())
    /// Blobs that come or go at a time.
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
    func answer(
        _ request: RegistryMessage.Request,
        _ opening: RegistryMessage.Opening,
        _ repositories: Result<Repositories, any Error>
    ) {
        var reply = RegistryMessage.Reply(id: request.id)
        do {
            switch request.kind {
            case .login:
                let credentials = Credentials(user: request.user ?? "", password: request.password ?? "")
                reply.words = [try Login.add(credentials, opening: opening)]
            case .logout: reply.words = try Login.remove(opening.domain)
            case .search:
                reply.found = try Search.run(opening, request.name, limit: Int(clamping: request.size ?? 25))
            case .fetch: reply = try Fetch.run(request) { self.send($0) }
            default: try answer(request, try repositories.get(), &reply)
            }
        } catch let failure as Failure {
            reply.failure = failure.message
            reply.advice = failure.advice
            reply.isMissing = failure.kind == .notFound
        } catch {
            reply.failure = "\(error)"
        }
        reply.isLast = true
        send(reply)
    }

    private func answer(
        _ request: RegistryMessage.Request,
        _ repositories: Repositories,
        _ reply: inout RegistryMessage.Reply
    ) throws {
        let size = request.size ?? 0
        @Sendable func news(_ done: UInt64) {
            var news = RegistryMessage.Reply(id: request.id)
            news.done = done
            send(news)
        }
        switch request.kind {
        case .manifest:
            let (mediaType, body) = try repositories.ask { try $0.manifest(request.name) }
            reply.mediaType = mediaType
            reply.body = Data(body).base64EncodedString()
        case .document:
            let body = try repositories.ask { try $0.document(request.name, size: size) }
            reply.body = Data(body).base64EncodedString()
        case .blob:
            gate.enter()
            defer { gate.leave() }
            try repositories.ask {
                try $0.blob(request.name, size: size, into: request.path ?? "", news: news)
            }
            reply.done = size
        case .tags: reply.words = try repositories.ask { try $0.tags() }
        case .referrers:
            reply.referrers = try repositories.ask { try $0.referrers(request.name, type: request.mediaType) }
        case .holds: reply.isThere = try repositories.own().holds(request.name, size: size)
        case .holdsManifest: reply.isThere = try repositories.own().holdsManifest(request.name)
        case .mount:
            reply.isThere = try repositories.own().mount(request.name, from: request.path ?? "")
        case .upload:
            gate.enter()
            defer { gate.leave() }
            try repositories.own().upload(request.name, size: size, from: request.path ?? "", news: news)
        case .put:
            guard let body = request.body, let bytes = Data(base64Encoded: body) else {
                throw Failure("a manifest is missing")
            }
            try repositories.own().put(request.name, mediaType: request.mediaType ?? "", Array(bytes))
        case .login, .logout, .search, .fetch: break
        }
    }
}
