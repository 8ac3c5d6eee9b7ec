import Foundation
import ImageFixtures
import OCI
import Testing

/// One thing that a registry does wrong when an image is pulled.
struct Misbehaviour: Sendable, CustomTestStringConvertible {
    typealias Answering = @Sendable (OddServer.Request, RightRegistry) -> OddServer.Answer

    let name: String
    /// What the error says.
    let words: String
    /// Seconds of silence after which mica gives up.
    let silence: String
    let answer: Answering

    var testDescription: String { name }

    private init(_ name: String, says words: String, silence: String = "600", _ answer: @escaping Answering) {
        self.name = name
        self.words = words
        self.silence = silence
        self.answer = answer
    }

    /// Wrong are only answers to these; all others are right.
    private enum Asked: Sendable { case everything, manifest, config, layer }

    private static func wrong(
        _ asked: Asked,
        _ name: String,
        says words: String,
        silence: String = "600",
        _ bend: @escaping @Sendable (inout OddServer.Answer) -> Void
    ) -> Misbehaviour {
        Misbehaviour(name, says: words, silence: silence) { request, right in
            var answer = right.answer(request)
            let isBent =
                switch asked {
                case .everything: true
                case .manifest: request.path.contains("/manifests/")
                case .config: request.path.contains("/blobs/") && !right.isLayer(request)
                case .layer: request.path.hasSuffix("/blobs/\(right.layers[0].digest)")
                }
            if isBent { bend(&answer) }
            return answer
        }
    }

    /// A manifest that was written by hand, with the right one's config and layers in it.
    private static func manifest(
        _ name: String,
        says words: String,
        type: String = MediaType.manifest,
        _ text: @escaping @Sendable (RightRegistry) -> String
    ) -> Misbehaviour {
        Misbehaviour(name, says: words) { request, right in
            guard request.path.contains("/manifests/") else { return right.answer(request) }
            return .init(headers: ["Content-Type": type], body: Array(text(right).utf8))
        }
    }

    private static func challenge(_ text: String) -> @Sendable (inout OddServer.Answer) -> Void {
        { $0 = .init(status: 401, headers: ["WWW-Authenticate": text]) }
    }

    /// A server of tokens on the same host, that answers this.
    private static func tokens(_ name: String, says words: String, _ answer: OddServer.Answer) -> Misbehaviour
    {
        Misbehaviour(name, says: words) { request, _ in
            if request.path == "/token" { return answer }
            let realm = "http://\(request.headers["host"] ?? "")/token"
            return .init(status: 401, headers: ["WWW-Authenticate": #"Bearer realm="\#(realm)",service="s""#])
        }
    }

    // MARK: - Answers to everything

    private static let connections: [Misbehaviour] = [
        wrong(.everything, "it hangs up without a word", says: "5 times") {
            $0.head = ""
            $0.body = []
        },
        wrong(.everything, "it speaks another protocol", says: "registry 127.0.0.1") {
            $0.head = "SSH-2.0-OpenSSH_9.2\r\n"
        },
        wrong(.everything, "its headers never end", says: "registry 127.0.0.1") {
            $0.head = "HTTP/1.1 200 OK\r\n"
            $0.body = Array(String(repeating: "X-Again: and again\r\n", count: 1000).utf8)
            $0.isEndless = true
        },
        wrong(.everything, "a header never ends", says: "registry 127.0.0.1") {
            $0.head = "HTTP/1.1 200 OK\r\nX-Long: "
            $0.body = Array(repeating: 0x78, count: 65536)
            $0.isEndless = true
        },
        wrong(.everything, "it says nothing", says: "5 times", silence: "3") {
            $0.head = ""
            $0.body = []
            $0.stalls = true
        },
        wrong(.everything, "chunks are none", says: "registry 127.0.0.1") {
            $0.head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
        },
        wrong(.everything, "it is overloaded for ever", says: "answers 429, 5 times") {
            $0 = .init(status: 429)
        },
        wrong(.everything, "it fails for ever", says: "answers 500, 5 times") { $0 = .init(status: 500) },
        wrong(.everything, "its status is none", says: "answers 999") { $0 = .init(status: 999) },
        wrong(.everything, "it moved and does not say where to", says: "answers 302") {
            $0 = .init(status: 302)
        },
        Misbehaviour("it redirects in a circle", says: "redirects again and again") { request, _ in
            .init(status: 307, headers: ["Location": request.path])
        },
        wrong(.everything, "it redirects, and its words never end", says: "does not end") {
            $0 = .init(status: 307, headers: ["Location": "/v2/"], body: words, isEndless: true)
        },
        wrong(.everything, "it refuses, and its words never end", says: "does not end") {
            $0 = .init(status: 403, body: words, isEndless: true)
        },
        wrong(.everything, "it fails, and its words never end", says: "does not end") {
            $0 = .init(status: 503, body: words, isEndless: true)
        },
        wrong(.everything, "it redirects to a file of this machine", says: "without TLS") {
            $0 = .init(status: 307, headers: ["Location": "file:///etc/passwd"])
        },
        wrong(.everything, "it redirects to where nothing listens", says: "5 times") {
            // The port of a service that no machine has any more.
            $0 = .init(status: 307, headers: ["Location": "http://127.0.0.1:1/"])
        },
    ]

    private static let words = Array(repeating: UInt8(ascii: " "), count: 65536)

    // MARK: - Answers about who asks

    private static let doors: [Misbehaviour] = [
        wrong(.everything, "it refuses", says: "refuses team/app") { $0 = .init(status: 403) },
        wrong(.everything, "it wants to know who asks and not how", says: "refuses team/app") {
            $0 = .init(status: 401)
        },
        wrong(
            .everything,
            "it wants an unknown proof",
            says: "refuses team/app",
            challenge(#"Digest realm="a""#)
        ),
        wrong(
            .everything,
            "it names no server of tokens",
            says: "does not say from where",
            challenge("Bearer")
        ),
        wrong(
            .everything,
            "its server of tokens is a file",
            says: "without TLS",
            challenge(#"Bearer realm="file:///etc/passwd""#)
        ),
        wrong(
            .everything,
            "its server of tokens is on another host, without TLS",
            says: "5 times",
            challenge(#"Bearer realm="http://127.0.0.1:1/token""#)
        ),
        tokens("no token is right for ever", says: "refuses", .init(body: Array(#"{"token": "t"}"#.utf8))),
        tokens(
            "its server of tokens fails for ever",
            says: "server of tokens answers 500",
            .init(status: 500)
        ),
        tokens("its server of tokens has none", says: "sends none", .init(body: Array("{}".utf8))),
        tokens("its server of tokens sends a page", says: "sends none", .init(body: Array("<html>".utf8))),
        tokens(
            "a token has a line end",
            says: "sends none",
            .init(body: Array(#"{"token": "t\r\nX-Own: header"}"#.utf8))
        ),
        tokens(
            "a token is as long as an answer may be",
            says: "127.0.0.1",
            .init(body: Array(#"{"token": "\#(String(repeating: "t", count: 1_000_000))"}"#.utf8))
        ),
        tokens(
            "a token never ends",
            says: "server of tokens",
            .init(body: Array(repeating: 0x20, count: 65536), isEndless: true)
        ),
    ]

    // MARK: - Manifests

    private static let manifests: [Misbehaviour] = [
        wrong(.manifest, "it has no such manifest", says: "has no team/app with manifests/v1") {
            $0 = .init(status: 404)
        },
        wrong(.manifest, "a manifest never ends", says: "is longer than") {
            $0.body = Array(repeating: 0x20, count: 65536)
            $0.isEndless = true
        },
        wrong(.manifest, "a manifest is shorter than it says", says: "5 times") {
            $0.length = $0.body.count + 1
        },
        manifest("a manifest is long and of nothing", says: "not valid JSON") { _ in
            String(repeating: " ", count: 4 << 20)
        },
        manifest("a manifest is lists in lists", says: "not valid JSON") { _ in
            String(repeating: "[", count: 4 << 20)
        },
        manifest("a manifest has as many layers as fit into it", says: "layers, its config") { right in
            text(right.manifest.digest, right)
                .replacing("\"layers\":[", with: "\"layers\":[" + repeated("\(layer(right)),", to: 4_100_000))
        },
        manifest("an index has as much as fits into it", says: "has no image for", type: MediaType.index) {
            let entry =
                #"{"mediaType":"\#(MediaType.manifest)","digest":"\#($0.manifest.digest)","size":7,"#
                + #""platform":{"architecture":"s390x","os":"linux"}}"#
            return #"{"schemaVersion":2,"manifests":[\#(repeated("\(entry),", to: 4_100_000))\#(entry)]}"#
        },
        manifest("a manifest is empty", says: "not valid JSON") { _ in "" },
        manifest("a manifest is a page", says: "not valid JSON") { _ in "<html>sign in first</html>" },
        manifest("a manifest is of the first version", says: "schema version 1") { _ in
            #"{"schemaVersion": 1, "fsLayers": [], "history": []}"#
        },
        manifest("a manifest is none, and no index either", says: "neither") { _ in
            #"{"schemaVersion": 2}"#
        },
        manifest("a manifest says that it is an index", says: "says that it is", type: MediaType.index) {
            text($0.manifest.digest, $0)
        },
        manifest("a manifest has a member twice", says: "is there twice") { right in
            text(right.manifest.digest, right).replacing("{\"config\"", with: "{\"config\":{},\"config\"")
        },
        manifest("a size is negative", says: "a number in it is out of range") { right in
            text(right.manifest.digest, right).replacing(
                "\"size\":\(right.layers[0].size)",
                with: "\"size\":-1"
            )
        },
        manifest("a digest is none", says: "digest") { right in
            text(right.manifest.digest, right).replacing(right.layers[0].digest.hex, with: "../../x")
        },
        manifest("a digest is of another kind", says: "sha512") { right in
            text(right.manifest.digest, right).replacing("sha256:", with: "sha512:")
        },
        manifest("a manifest has more layers than its config", says: "layers, its config") { right in
            text(right.manifest.digest, right)
                .replacing("\"layers\":[", with: "\"layers\":[\(layer(right)),")
        },
        manifest("a layer is encrypted", says: "can't read") { right in
            text(right.manifest.digest, right).replacing("tar+gzip", with: "tar+gzip+encrypted")
        },
        manifest("an index has nothing for this machine", says: "has no image for", type: MediaType.index) {
            right in
            let platforms = ["s390x", "riscv64"].map {
                #"{"mediaType":"\#(MediaType.manifest)","digest":"\#(right.manifest.digest)","size":"#
                    + #"\#(right.manifest.size),"platform":{"architecture":"\#($0)","os":"linux"}}"#
            }
            return #"{"schemaVersion":2,"manifests":[\#(platforms.joined(separator: ","))]}"#
        },
        Misbehaviour("indexes are nested deeply", says: "nested more than") { request, right in
            guard request.path.contains("/manifests/") else { return right.answer(request) }
            let indexes = nested(20)
            let digest = request.path.split(separator: "/").last.map(String.init) ?? ""
            let body = indexes.first { "\(SHA256.digest(of: $0))" == digest } ?? indexes[indexes.count - 1]
            return .init(headers: ["Content-Type": MediaType.index], body: body)
        },
    ]

    /// Indexes that each list the one before, the last one around all others.
    private static func nested(_ count: Int) -> [[UInt8]] {
        (0..<count).reduce(into: [[UInt8]]()) { indexes, _ in
            let inner = indexes.last ?? []
            let digest = SHA256.digest(of: inner)
            let entry = #"{"mediaType":"\#(MediaType.index)","digest":"\#(digest)","size":\#(inner.count)}"#
            indexes.append(Array(#"{"schemaVersion":2,"manifests":[\#(entry)]}"#.utf8))
        }
    }

    private static func text(_ digest: Digest, _ right: RightRegistry) -> String {
        String(decoding: right.blobs["blobs/sha256/\(digest.hex)"] ?? [], as: UTF8.self)
    }

    private static func repeated(_ text: String, to size: Int) -> String {
        String(repeating: text, count: size / text.utf8.count)
    }

    private static func layer(_ right: RightRegistry) -> String {
        let layer = right.layers[0]
        return #"{"mediaType":"\#(layer.mediaType)","digest":"\#(layer.digest)","size":\#(layer.size)}"#
    }

    // MARK: - Blobs

    private static let blobs: [Misbehaviour] = [
        wrong(.config, "it has no config", says: "has no team/app with blobs/") { $0 = .init(status: 404) },
        wrong(.config, "a config is another one", says: "sha256:") {
            $0.body = $0.body.map { $0 == UInt8(ascii: "6") ? UInt8(ascii: "7") : $0 }
        },
        wrong(.config, "a config is longer than it should be", says: "is longer than") { $0.body += [0x20] },
        wrong(.config, "a config is shorter than it should be", says: "should have") { $0.body.removeLast() },
        wrong(.layer, "it has no such layer", says: "has no team/app with blob") { $0 = .init(status: 404) },
        wrong(.layer, "it has no such layer, and its words never end", says: "does not end") {
            $0 = .init(status: 404, body: words, isEndless: true)
        },
        Misbehaviour("a config is as large as a disk", says: "is longer than") { request, right in
            if request.path.contains("/manifests/") {
                let text = text(right.manifest.digest, right)
                let config = text.firstMatch(of: /"config":{[^}]*"size":(\d+)/)?.output.1 ?? ""
                return .init(
                    headers: ["Content-Type": MediaType.manifest],
                    body: Array(text.replacing("\"size\":\(config)", with: "\"size\":1000000000000").utf8)
                )
            }
            guard !right.isLayer(request) else { return right.answer(request) }
            return .init(body: words, isEndless: true)
        },
        Misbehaviour("a layer unpacks to a thousand times as much", says: "diffID") { request, right in
            // Not the layer that the config names.
            if request.path.hasSuffix("/blobs/\(SHA256.digest(of: bomb))") { return .init(body: bomb) }
            guard request.path.contains("/manifests/") else { return right.answer(request) }
            let layer = right.layers[0]
            let text = text(right.manifest.digest, right)
                .replacing("\(layer.digest)", with: "\(SHA256.digest(of: bomb))")
                .replacing("\"size\":\(layer.size)", with: "\"size\":\(bomb.count)")
            return .init(headers: ["Content-Type": MediaType.manifest], body: Array(text.utf8))
        },
        Misbehaviour("a layer is foreign, and not there", says: "nondistributable") { request, right in
            if right.isLayer(request) { return .init(status: 404) }
            guard request.path.contains("/manifests/") else { return right.answer(request) }
            let text = text(right.manifest.digest, right).replacing(
                "layer.v1",
                with: "layer.nondistributable.v1"
            )
            return .init(headers: ["Content-Type": MediaType.manifest], body: Array(text.utf8))
        },
        wrong(.layer, "a layer is another one", says: "the blob is") {
            if $0.status == 200, $0.body.count > 9 { $0.body[9] ^= 1 }
        },
        wrong(.layer, "a layer is longer than it should be", says: "bytes for a blob of") { $0.body += [0] },
        wrong(.layer, "a layer never ends", says: "more than the") { $0.isEndless = true },
        wrong(.layer, "a layer is never whole", says: "5 times") {
            $0.length = $0.body.count
            $0.cut = max($0.body.count - 10, 0)
        },
        wrong(.layer, "a layer stops on its way", says: "5 times", silence: "3") {
            $0.length = $0.body.count
            $0.cut = 0
            $0.stalls = true
        },
        wrong(.layer, "a layer is a page", says: "bytes for a blob of") {
            $0 = .init(body: Array("<html>sign in first</html>".utf8))
        },
        wrong(.layer, "a part of a layer is another one than was asked for", says: "another part") {
            $0.status = 206
            $0.headers["Content-Range"] = "bytes 7-\($0.body.count + 6)/\($0.body.count + 7)"
        },
        wrong(.layer, "it has no part of a layer, and not the whole either", says: "answers 416") {
            $0 = .init(status: 416)
        },
        wrong(.layer, "a layer is nothing at all", says: "answers 204") { $0 = .init(status: 204) },
    ]

    /// 1 GiB of zeros, which end every tar.
    private static let bomb = Array(
        repeatElement(ArchiveFixture.gzip([UInt8](repeating: 0, count: 16 << 20)), count: 64).joined()
    )

    static let all = connections + doors + manifests + blobs
}
