import Foundation
import Glibc
import ImageFixtures
import Linux
import SystemPackage

/// A server of tokens for docker-registry. Without a password it gives tokens that pull; for user:secret, and for the
/// refresh token "again", whatever is asked for; for other passwords none.
final class TokenService {
    static let service = "test-registry"
    static let issuer = "test-issuer"

    /// Who signs the tokens.
    let signer: TestCertificate
    /// The URL.
    private(set) var realm = ""
    private let directory: TemporaryDirectory
    private let process = Process()

    /// For each token: the user, or "-", and the scopes.
    var given: [String] {
        let text = try? String(contentsOfFile: directory.path.appending("given").string, encoding: .utf8)
        return (text ?? "").split(separator: "\n").map(String.init)
    }

    static var isThere: Bool {
        access("/usr/bin/openssl", X_OK) == 0 && access("/usr/bin/python3", X_OK) == 0
    }

    /// `certificate`: with TLS.
    init(certificate: TestCertificate? = nil) throws {
        directory = try TemporaryDirectory()
        signer = try TestCertificate(in: directory)
        process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
        process.arguments =
            ["-c", TokenService.script, directory.path.string]
            + (certificate.map { [$0.certificate.string, $0.key.string] } ?? [])
        process.standardError = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        let output = Foundation.Pipe()
        process.standardOutput = output
        try process.run()
        // A line with the port.
        var said = ""
        while !said.hasSuffix("\n") {
            let more = output.fileHandleForReading.availableData
            guard !more.isEmpty else { throw Failure("no server of tokens: \(said)") }
            said += String(decoding: more, as: UTF8.self)
        }
        realm = "\(certificate == nil ? "http" : "https")://127.0.0.1:\(said.dropLast())/token"
    }

    deinit {
        // The thread that starts it may have other signals blocked, and so has the process then.
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    private static let script = #"""
        import base64, http.server, json, ssl, subprocess, sys, time, urllib.parse
        top, tls = sys.argv[1], sys.argv[2:]
        chain = base64.b64encode(ssl.PEM_cert_to_DER_cert(open(top + "/certificate").read())).decode()

        def encoded(data):
            if not isinstance(data, bytes): data = json.dumps(data).encode()
            return base64.urlsafe_b64encode(data).rstrip(b"=")

        def token(user, scopes):
            now = int(time.time())
            access = []
            for scope in scopes:
                kind, name, actions = scope.split(":")
                allowed = [a for a in actions.split(",") if user or a == "pull"]
                access.append({"type": kind, "name": name, "actions": allowed})
            claims = {"iss": "test-issuer", "aud": "test-registry", "sub": user, "jti": str(time.time_ns()),
                      "nbf": now - 60, "iat": now - 60, "exp": now + 3600, "access": access}
            text = encoded({"typ": "JWT", "alg": "RS256", "x5c": [chain]}) + b"." + encoded(claims)
            made = subprocess.run(["openssl", "dgst", "-sha256", "-sign", top + "/key"], input=text,
                                  stdout=subprocess.PIPE, check=True)
            return (text + b"." + encoded(made.stdout)).decode()

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self, fields, user, member):
                if user is None or fields.get("service") != ["test-registry"]:
                    return self.send(401, {"errors": [{"message": "no"}]})
                scopes = [one for text in fields.get("scope", []) for one in text.split(" ")]
                with open(top + "/given", "a") as given: given.write(f"{user or '-'} {' '.join(scopes)}\n")
                self.send(200, {member: token(user, scopes)})

            def do_GET(self):
                shown = self.headers.get("Authorization")
                user = ""
                if shown:
                    right = "Basic " + base64.b64encode(b"user:secret").decode()
                    user = "user" if shown == right else None
                self.answer(urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query), user, "token")

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                fields = urllib.parse.parse_qs(body)
                isRight = fields.get("grant_type") == ["refresh_token"] and fields.get("refresh_token") == ["again"]
                self.answer(fields, "user" if isRight else None, "access_token")

            def send(self, status, document):
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *words): pass

        made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            made.socket = context.wrap_socket(made.socket, server_side=True, do_handshake_on_connect=False)
        print(made.server_port, flush=True)
        made.serve_forever()
        """#
}
