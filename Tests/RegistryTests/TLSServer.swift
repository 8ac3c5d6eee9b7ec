import Foundation
import Glibc
import ImageFixtures
import Linux
import SystemPackage

/// A server over TLS that has its answers in files, on a port of its own and with a certificate of its own, which goes
/// with the test.
final class TLSServer {
    private let directory: TemporaryDirectory
    private let process = Process()
    private let certificate: TestCertificate
    /// 127.0.0.1:PORT.
    let address: String

    static var isThere: Bool { access("/usr/bin/openssl", X_OK) == 0 }

    private static let script = """
        import os, socket, ssl, sys, threading
        top = sys.argv[1]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(top + "/certificate", top + "/key")
        def serve(plain):
            try:
                with context.wrap_socket(plain, server_side=True) as connection:
                    request = b""
                    while not request.endswith(b"\\r\\n\\r\\n"):
                        byte = connection.recv(1)
                        if not byte: return
                        request += byte
                    path = top + request.split()[1].decode()
                    answer = b"HTTP/1.0 404 no\\r\\nContent-Length: 0\\r\\n\\r\\n"
                    if os.path.isfile(path): answer = open(path, "rb").read()
                    connection.sendall(answer)
                    connection.unwrap()
            except OSError:
                pass
        listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        print(listener.getsockname()[1], flush=True)
        while True: threading.Thread(target=serve, args=[listener.accept()[0]], daemon=True).start()
        """

    /// `answers`: by path, with their status line and headers.
    init(_ answers: [String: [UInt8]]) throws {
        directory = try TemporaryDirectory()
        for (path, answer) in answers { try directory.write(path, answer) }
        let path = directory.path.string
        certificate = try TestCertificate(in: directory)
        let output = Foundation.Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", "-c", TLSServer.script, path]
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        try process.run()
        // A line with the port.
        var said = ""
        while !said.hasSuffix("\n") {
            let more = output.fileHandleForReading.availableData
            guard !more.isEmpty else { throw Failure("no server: \(said)") }
            said += String(decoding: more, as: UTF8.self)
        }
        address = "127.0.0.1:\(said.dropLast())"
    }

    /// What has to be believed, as `certs.d` has it, in `parent`. `name`: of the registry, if that is not the address.
    func install(for name: String? = nil, in parent: TemporaryDirectory) throws -> FilePath {
        try certificate.install(for: name ?? address, in: parent)
    }

    /// What a right registry has, as answers.
    static func answers(_ right: RightRegistry) -> [String: [UInt8]] {
        let top = "v2/\(RightRegistry.path)"
        let names = ["manifests/v1"] + right.blobs.keys.map { $0.replacing("/sha256/", with: "/sha256:") }
        var answers: [String: [UInt8]] = [:]
        for name in names where name.hasPrefix("manifests/") || name.hasPrefix("blobs/") {
            let path = "/\(top)/\(name)"
            let found = right.answer(.init(method: "GET", path: path, query: "", headers: [:]))
            let headers = found.headers.map { "\($0): \($1)" } + ["Content-Length: \(found.body.count)"]
            answers["\(top)/\(name)"] = answer("200 OK", headers, found.body)
        }
        return answers
    }

    static func answer(_ status: String, _ headers: [String], _ body: [UInt8] = []) -> [UInt8] {
        Array(([("HTTP/1.0 \(status)")] + headers + ["", ""]).joined(separator: "\r\n").utf8) + body
    }

    deinit {
        // The thread that starts it may have other signals blocked, and so has the process then.
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }
}
