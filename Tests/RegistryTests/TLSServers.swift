import Foundation
import Glibc
import ImageFixtures
import Linux
import OCI
import SystemPackage

/// Two servers with TLS on loopback: a registry for one image, and a storage to which that redirects for blobs. Both ask
/// for a certificate, and note who showed one.
final class TLSServers {
    private let directory: TemporaryDirectory
    private let process = Process()
    /// 127.0.0.1:PORT.
    private(set) var registry = ""

    static var isThere: Bool {
        access("/usr/bin/openssl", X_OK) == 0 && access("/usr/bin/python3", X_OK) == 0
    }

    /// What certs.d has of it: also another certificate, whose name comes first.
    var certificates: FilePath { directory.path.appending("certs.d") }

    /// "registry" or "storage", and "shown" or "none", for each request.
    var notes: [String] {
        let text = try? String(contentsOfFile: directory.path.appending("notes").string, encoding: .utf8)
        return (text ?? "").split(separator: "\n").map(String.init)
    }

    init(_ right: RightRegistry) throws {
        directory = try TemporaryDirectory()
        let path = directory.path.string
        for (name, content) in right.blobs { try directory.write(name, content) }
        try directory.write("server.py", Array(TLSServers.script.utf8))
        let make = """
            set -e; cd '\(path)'
            new() { openssl req -x509 -newkey rsa:2048 -nodes -keyout $1.key -out $1.crt -days 2 -subj /CN=$1 \
                -addext subjectAltName=IP:127.0.0.1 2>/dev/null; }
            new server; new other; new client
            """
        guard try TLSServers.run("/bin/sh", ["-c", make]) == 0 else { throw Failure("openssl fails") }
        process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
        process.arguments = ["\(path)/server.py", path, "\(right.manifest.digest.hex)"]
        process.standardError = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        try process.run()
        for _ in 0..<3000 {
            if let text = try? String(contentsOfFile: "\(path)/port", encoding: .utf8), text.hasSuffix("\n") {
                registry = "127.0.0.1:\(text.dropLast())"
                break
            }
            usleep(20_000)
        }
        guard !registry.isEmpty else { throw Failure("the servers do not listen") }
        let place = "certs.d/\(registry)"
        for (from, to) in [
            ("other.crt", "a.crt"), ("server.crt", "b.crt"), ("client.crt", "me.cert"),
            ("client.key", "me.key"),
        ] {
            try directory.write(
                "\(place)/\(to)",
                try OwnedFD.open(directory.path.appending(from), O_RDONLY).contents(limit: 1 << 20)
            )
        }
    }

    deinit {
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    private static func run(_ program: String, _ arguments: [String]) throws -> Int32 {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        try process.run()
        process.waitUntilExit()
        return process.terminationStatus
    }

    private static let script = #"""
        import http.server, os, ssl, sys, threading
        root, manifest = sys.argv[1:]
        os.chdir(root)

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                shown = "shown" if self.connection.getpeercert(binary_form=True) else "none"
                with open("notes", "a") as notes:
                    notes.write(f"{self.server.role} {shown} {self.headers.get('Authorization', '')}\n".replace(" \n", "\n"))
                name = self.path.split("/")[-1].replace("sha256:", "")
                if name == "v1": name = manifest
                if self.server.role == "registry" and "/blobs/" in self.path:
                    self.send_response(307)
                    self.send_header("Location", f"https://127.0.0.1:{storage.server_port}{self.path}")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                body = open("blobs/sha256/" + name, "rb").read()
                self.send_response(200)
                kind = "application/vnd.oci.image.manifest.v1+json" if "/manifests/" in self.path else "application/octet-stream"
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *words): pass

        def server(role):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain("server.crt", "server.key")
            context.load_verify_locations("client.crt")
            context.verify_mode = ssl.CERT_OPTIONAL
            made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
            made.role = role
            made.socket = context.wrap_socket(made.socket, server_side=True, do_handshake_on_connect=False)
            threading.Thread(target=made.serve_forever, daemon=True).start()
            return made

        storage = server("storage")
        registry = server("registry")
        with open("port.new", "w") as port: port.write(f"{registry.server_port}\n")
        os.rename("port.new", "port")
        threading.Event().wait()
        """#
}
