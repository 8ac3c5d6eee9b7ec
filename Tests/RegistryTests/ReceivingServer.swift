import Foundation
import OCI
import Synchronization

/// A registry that takes what is sent, for tests that bend what it answers.
final class ReceivingServer: Sendable {
    private struct State {
        var blobs: [String: [UInt8]] = [:]
        var manifests: [String: [UInt8]] = [:]
        var parts: [String: [UInt8]] = [:]
        var count = 0
    }
    private let state = Mutex(State())

    var manifests: [String: [UInt8]] { state.withLock { $0.manifests } }
    var blobs: [String: [UInt8]] { state.withLock { $0.blobs } }

    /// Of the repository team/app.
    func answer(_ request: OddServer.Request) -> OddServer.Answer {
        let prefix = "/v2/\(RightRegistry.path)/"
        guard request.path.hasPrefix(prefix) else { return .init(status: request.path == "/v2/" ? 200 : 404) }
        let parts = request.path.dropFirst(prefix.count).split(separator: "/").map(String.init)
        let query = request.query.removingPercentEncoding ?? ""
        return state.withLock { state in
            switch (request.method, parts.first, parts.dropFirst().first) {
            case ("HEAD", "blobs", let digest?):
                guard let blob = state.blobs[digest] else { return .init(status: 404) }
                return .init(body: blob)
            case ("HEAD", "manifests", let name?):
                return .init(status: state.manifests[name] == nil ? 404 : 200)
            case ("PUT", "manifests", let name?):
                state.manifests[name] = request.body
                return .init(status: 201)
            case ("POST", "blobs", "uploads"):
                state.count += 1
                let place = "\(prefix)blobs/uploads/\(state.count)"
                state.parts[place] = []
                return .init(status: 202, headers: ["Location": "\(place)?state=a"])
            case ("PATCH", "blobs", "uploads"):
                guard let there = state.parts[request.path],
                    request.headers["content-range"]?.hasPrefix("\(there.count)-") == true
                else { return .init(status: 416) }
                state.parts[request.path] = there + request.body
                return .init(status: 202, headers: ["Location": "\(request.path)?state=b"])
            case ("GET", "blobs", "uploads"):
                guard let there = state.parts[request.path] else { return .init(status: 404) }
                let range = "0-\(max(there.count - 1, 0))"
                return .init(status: 204, headers: ["Location": "\(request.path)?state=c", "Range": range])
            case ("PUT", "blobs", "uploads"):
                let bytes = (state.parts[request.path] ?? []) + request.body
                let digest = "\(SHA256.digest(of: bytes))"
                guard query.contains("digest=\(digest)"), query.contains("state=") else {
                    return .init(status: 400)
                }
                state.blobs[digest] = bytes
                return .init(status: 201)
            default: return .init(status: 404)
            }
        }
    }
}
