import FoundationEssentials
import Linux

extension Repository {
    /// Whether it has a blob, of this size.
    func holds(_ digest: String, size: UInt64) throws -> Bool {
        let call = Call(method: "HEAD", place: "blobs/\(digest)")
        let (response, _) = try get(call, limit: 1 << 16, expecting: [200, 404])
        guard response.status == 200 else { return false }
        guard let length = response.headers["content-length"].flatMap({ UInt64($0) }) else { return true }
        return length == size
    }

    /// Whether it has a manifest.
    func holdsManifest(_ name: String) throws -> Bool {
        let call = Call(method: "HEAD", place: "manifests/\(name)", headers: [Repository.accept])
        return try get(call, limit: 1 << 16, expecting: [200, 404]).0.status == 200
    }

    /// Takes a blob over from another repository of the same registry. false where it does not.
    func mount(_ digest: String, from other: String) throws -> Bool {
        let call = Call(method: "POST", place: "blobs/uploads/?mount=\(digest)&from=\(other)")
        // A registry that refuses to mount gets the blob.
        let (response, _) = try get(call, limit: 1 << 16, expecting: [201, 202, 400, 401, 403, 404, 405])
        if response.status == 202, let place = Repository.location(response) {
            // The registry has begun an upload instead: cancel it.
            _ = try? get(
                Call(method: "DELETE", place: place),
                limit: 1 << 16,
                expecting: [204, 200, 404, 405]
            )
        }
        return response.status == 201
    }

    /// Sends a manifest.
    func put(_ name: String, mediaType: String, _ bytes: [UInt8]) throws {
        var call = Call(method: "PUT", place: "manifests/\(name)")
        call.headers = ["Content-Type: \(mediaType)"]
        call.content = UploadContent(bytes)
        _ = try get(call, limit: 1 << 20, expecting: [201, 200, 202])
    }

    /// Sends the file at `path` as a blob: at once, or in parts if the registry or a proxy answers 413.
    func upload(_ digest: String, size: UInt64, from path: String, news: @escaping (UInt64) -> Void) throws {
        var retry = Retry()
        var inParts = false
        while true {
            do {
                let place = try begin()
                if inParts {
                    return try sendParts(digest, size, path, to: place, news)
                }
                var call = Call(
                    method: "PUT",
                    place: Repository.adding("digest=\(digest)", to: place),
                    limit: nil
                )
                call.headers = ["Content-Type: application/octet-stream"]
                call.content = try UploadContent(path, from: 0, count: size, news: news)
                let (status, failure) = try status(call)
                if status == 201 || status == 204 { return }
                guard status == 413 else { throw failure }
                inParts = true
            } catch let reason as Retry.Reason {
                try retry.wait(reason, "registry \(domain): sending blob \(digest.prefix(19))")
            }
        }
    }

    /// Bytes of a part: what proxies let through.
    private static let part: UInt64 = 8 << 20

    /// One after another. What got lost on the way is sent again, from where the registry says that it is.
    private func sendParts(
        _ digest: String,
        _ size: UInt64,
        _ path: String,
        to start: String,
        _ news: @escaping (UInt64) -> Void
    ) throws {
        var place = start
        var done: UInt64 = 0
        while done < size {
            let count = min(Repository.part, size - done)
            var call = Call(method: "PATCH", place: place, limit: nil)
            call.headers = [
                "Content-Type: application/octet-stream", "Content-Range: \(done)-\(done + count - 1)",
            ]
            call.content = try UploadContent(path, from: done, count: count, news: news)
            let (response, body) = try get(call, limit: 1 << 16, expecting: [202, 204, 201])
            _ = body
            guard let next = Repository.location(response) else {
                throw Failure("registry \(domain) does not say where the rest of a blob goes")
            }
            place = next
            done += count
        }
        let end = Call(method: "PUT", place: Repository.adding("digest=\(digest)", to: place))
        _ = try get(end, limit: 1 << 16, expecting: [201, 204])
    }

    /// Where a blob is to be sent to.
    private func begin() throws -> String {
        let (response, _) = try get(
            Call(method: "POST", place: "blobs/uploads/"),
            limit: 1 << 16,
            expecting: [202]
        )
        guard let place = Repository.location(response) else {
            throw Failure("registry \(domain) does not say where a blob goes")
        }
        return place
    }

    /// Where to go on: whole, or from the root on. One that is relative is so to what was asked. nil where it says
    /// nothing.
    private static func location(_ response: HTTP.Response) -> String? {
        guard let place = response.headers["location"], !place.isEmpty else { return nil }
        if place.hasPrefix("/") || place.contains("://") { return place }
        return URL(string: place, relativeTo: URL(string: response.place))?.absoluteString
    }

    /// One try: the status, and what it means where it is not as it should be.
    private func status(_ call: Call) throws -> (Int, Failure) {
        var body: [UInt8] = []
        let response = try send(call) { bytes, _ in
            if body.count < 1 << 16 { body += bytes }
            return true
        } again: {
            body = []
        }
        return (response.status, refusal(response, "a blob that is sent", body))
    }

    /// The query that is there stays.
    private static func adding(_ parameter: String, to place: String) -> String {
        place + (place.contains("?") ? "&" : "?") + parameter
    }
}
