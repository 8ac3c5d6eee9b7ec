import FoundationEssentials
import Linux
import Synchronization

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

    /// Sends the file at `path` as a blob: at once, or in parts if the registry or a proxy has answered 413.
    func upload(_ digest: String, size: UInt64, from path: String, news: @escaping (UInt64) -> Void) throws {
        var retry = Retry()
        while true {
            do {
                var upload = try begin(digest, size, path)
                if size >= limits.withLock({ $0.refused }) { return try sendParts(&upload, news) }
                var call = Call(
                    method: "PUT",
                    place: Repository.adding("digest=\(digest)", to: upload.place),
                    limit: nil
                )
                call.headers = ["Content-Type: application/octet-stream"]
                call.content = try UploadContent(path, from: 0, count: size, news: news)
                let (response, failure) = try once(call)
                if response.status == 201 || response.status == 204 { return }
                guard response.status == 413, size > 0 else { throw failure }
                limits.withLock { $0.refuse(blob: size) }
            } catch let reason as Retry.Reason {
                try retry.wait(reason, "registry \(domain): sending blob \(digest.prefix(19))")
            }
        }
    }

    /// A blob on its way to the registry.
    private struct Upload {
        let digest: String
        let size: UInt64
        let path: String
        /// Where the next request goes.
        var place: String
        /// The fewest bytes that the registry takes in a part which is not the last one.
        let minimum: UInt64
        /// Bytes that the registry has.
        var done: UInt64 = 0
    }

    /// Sends parts, one after another. After an error the registry says how much it has, and the rest is sent;
    /// a `Retry.Reason` is thrown where it has lost it.
    private func sendParts(_ upload: inout Upload, _ news: @escaping (UInt64) -> Void) throws {
        var retry = Retry()
        let what = "registry \(domain): sending blob \(upload.digest.prefix(19))"
        while upload.done < upload.size {
            let count = min(max(limits.withLock { $0.part }, upload.minimum), upload.size - upload.done)
            let isTaken: Bool
            do { isTaken = try sendPart(&upload, count, news) } catch let reason as Retry.Reason {
                try retry.wait(reason, what)
                guard try find(&upload) else { throw reason }
                news(upload.done)
                continue
            }
            if isTaken { retry = Retry() }
        }
        let end = Call(method: "PUT", place: Repository.adding("digest=\(upload.digest)", to: upload.place))
        // 404: an earlier try has ended the upload, and its answer got lost.
        let (response, body) = try get(end, limit: 1 << 16, expecting: [201, 204, 404])
        if response.status == 404, try !holds(upload.digest, size: upload.size) {
            throw refusal(response, "a blob that is sent", body)
        }
    }

    /// False where the part was too large, and a smaller one is to be sent.
    private func sendPart(_ upload: inout Upload, _ count: UInt64, _ news: @escaping (UInt64) -> Void) throws
        -> Bool
    {
        var call = Call(method: "PATCH", place: upload.place, limit: nil)
        call.headers = [
            "Content-Type: application/octet-stream",
            "Content-Range: \(upload.done)-\(upload.done + count - 1)",
        ]
        call.content = try UploadContent(upload.path, from: upload.done, count: count, news: news)
        let (response, failure) = try once(call)
        switch response.status {
        case 201, 202, 204:
            guard let next = Repository.location(response) else {
                throw Failure("registry \(domain) does not say where the rest of a blob goes")
            }
            upload.place = next
            upload.done += count
            return true
        case 413:
            let minimum = upload.minimum
            guard limits.withLock({ $0.refuse(part: count, minimum: minimum) }) else { throw failure }
            return false
        case 416: throw Retry.Reason(text: "it wants another part than the next")
        default: throw failure
        }
    }

    /// Asks how much of a blob the registry has. False where it does not know the upload any more.
    private func find(_ upload: inout Upload) throws -> Bool {
        let call = Call(place: upload.place)
        let (response, _) = try get(call, limit: 1 << 16, expecting: [200, 204, 400, 404, 405, 416])
        guard response.status == 204, let range = response.headers["range"],
            let last = range.split(separator: "-").last.flatMap({ UInt64($0) }), last < upload.size
        else { return false }
        // "0-0" is also said of nothing.
        upload.done = last == 0 ? 0 : last + 1
        upload.place = Repository.location(response) ?? upload.place
        return true
    }

    private func begin(_ digest: String, _ size: UInt64, _ path: String) throws -> Upload {
        let (response, _) = try get(
            Call(method: "POST", place: "blobs/uploads/"),
            limit: 1 << 16,
            expecting: [202]
        )
        guard let place = Repository.location(response) else {
            throw Failure("registry \(domain) does not say where a blob goes")
        }
        let minimum = response.headers["oci-chunk-min-length"].flatMap { UInt64($0) } ?? 0
        return Upload(digest: digest, size: size, path: path, place: place, minimum: minimum)
    }

    /// Where to go on: whole, or from the root on. One that is relative is so to what was asked. nil where it says
    /// nothing.
    private static func location(_ response: HTTP.Response) -> String? {
        guard let place = response.headers["location"], !place.isEmpty else { return nil }
        if place.hasPrefix("/") || place.contains("://") { return place }
        return URL(string: place, relativeTo: URL(string: response.place))?.absoluteString
    }

    /// One try: the answer, and what it means where it is not as it should be.
    private func once(_ call: Call) throws -> (HTTP.Response, Failure) {
        var body: [UInt8] = []
        let response = try send(call) { bytes, _ in
            if body.count < 1 << 16 { body += bytes }
            return true
        } again: {
            body = []
        }
        return (response, refusal(response, "a blob that is sent", body))
    }

    /// The query that is there stays.
    private static func adding(_ parameter: String, to place: String) -> String {
        place + (place.contains("?") ? "&" : "?") + parameter
    }
}
