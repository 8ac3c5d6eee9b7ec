import ImageFixtures
import Linux
import OCI
import Synchronization
import Tar

/// What a right registry answers for one image, `team/app:v1`, to be bent by tests.
struct RightRegistry: Sendable {
    static let path = "team/app"
    let manifest: Descriptor
    let layers: [Descriptor]
    /// By "blobs/sha256/HEX".
    let blobs: [String: [UInt8]]

    /// `layers`: tars.
    init(_ layers: [[UInt8]], compress: Bool = true) throws {
        var fixture = ArchiveFixture()
        manifest = try fixture.addImage(layers, compress: compress)
        var blobs: [String: [UInt8]] = [:]
        for (entry, content) in fixture.files { blobs[String(decoding: entry.path, as: UTF8.self)] = content }
        self.blobs = blobs
        let text = blobs["blobs/sha256/\(manifest.digest.hex)"] ?? []
        self.layers = try JSONDocument.decode(Manifest.self, from: text, name: "manifest").layers
    }

    func answer(_ request: OddServer.Request) -> OddServer.Answer {
        let prefix = "/v2/\(RightRegistry.path)/"
        guard request.path.hasPrefix(prefix) else {
            return request.path == "/v2/" ? .init() : .init(status: 404)
        }
        let rest = request.path.dropFirst(prefix.count)
        let parts = rest.split(separator: "/", maxSplits: 1)
        guard parts.count == 2, ["manifests", "blobs"].contains(parts[0]) else { return .init(status: 404) }
        let isTag = parts[0] == "manifests" && parts[1] == "v1"
        let hex = isTag ? manifest.digest.hex : String(parts[1].dropFirst("sha256:".count))
        guard let body = blobs["blobs/sha256/\(hex)"] else { return .init(status: 404) }
        let type = parts[0] == "manifests" ? MediaType.manifest : "application/octet-stream"
        if let range = request.headers["range"], range.hasPrefix("bytes="),
            let start = Int(range.dropFirst(6).dropLast())
        {
            return .init(
                status: 206,
                headers: ["Content-Type": type],
                body: Array(body[min(start, body.count)...])
            )
        }
        return .init(headers: ["Content-Type": type], body: body)
    }

    /// Whether a request is for a layer's blob.
    func isLayer(_ request: OddServer.Request) -> Bool {
        layers.contains { request.path.hasSuffix("/blobs/\($0.digest)") }
    }

    var blobSize: Int { layers.reduce(0) { $0 + Int($1.size) } }
}
