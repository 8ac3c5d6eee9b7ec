import FoundationEssentials
import Linux

extension Repository {
    private static let manifestTypes = [
        "application/vnd.oci.image.index.v1+json", "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    ]

    static let accept = "Accept: \(manifestTypes.joined(separator: ", "))"

    func manifest(_ name: String) throws -> (mediaType: String, body: [UInt8]) {
        let call = Call(place: "manifests/\(name)", headers: [Repository.accept])
        let (response, body) = try get(call, limit: 4 << 20)
        let type = response.headers["content-type"] ?? ""
        return (type.split(separator: ";").first.map { $0.trimmed } ?? "", body)
    }

    func document(_ digest: String, size: UInt64) throws -> [UInt8] {
        let (_, body) = try get(Call(place: "blobs/\(digest)"), limit: Int(min(size, 16 << 20)))
        guard UInt64(body.count) == size else {
            throw Failure("registry \(domain): \(digest) should have \(size) bytes, it sent \(body.count)")
        }
        return body
    }

    /// Brings a blob into a file, from where that ends, with as many tries as bring it forward.
    func blob(_ digest: String, size: UInt64, into path: String, news: @escaping (UInt64) -> Void) throws {
        let file = try BlobWriter(path, size: size, news: news)
        var retry = Retry()
        while !file.isWhole {
            let before = file.done
            do {
                try fetch(digest, into: file)
            } catch let failure as Failure where file.isFull {
                // Give the room back on a full disk.
                file.empty()
                throw failure
            } catch let reason as Retry.Reason {
                // Byte by byte would be for ever.
                if file.done - before >= 1 << 16 { retry = Retry() }
                try retry.wait(reason, "registry \(domain): blob \(digest.prefix(19))")
            }
        }
    }

    private func fetch(_ digest: String, into file: BlobWriter) throws {
        let range = file.begin()
        let response = try send(Call(place: "blobs/\(digest)", headers: range, limit: nil)) {
            bytes,
            response in
            switch response.status {
            case 206: file.agrees(response) && file.take(bytes)
            // All of it once more.
            case 200: file.agrees(response) && file.takeFromStart(bytes)
            // Words about an error.
            default: true
            }
        } failure: {
            file.failure
        }
        if response.status == 416, !range.isEmpty {
            file.knowsNoParts = true
            throw Retry.Reason(text: "it gives no parts of it")
        }
        guard response.status == 200 || response.status == 206 else {
            throw refusal(response, "blob \(digest)", [])
        }
        guard file.isWhole else { throw Retry.Reason(text: "it sent \(file.done) of \(file.size) bytes") }
    }
}
