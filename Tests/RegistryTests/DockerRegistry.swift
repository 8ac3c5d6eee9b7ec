import Foundation
import Glibc
import ImageFixtures
import Linux
import SystemPackage

/// Debian's docker-registry on a port of its own, which goes with the test.
final class DockerRegistry {
    private let directory: TemporaryDirectory
    private let process = Process()
    /// 127.0.0.1:PORT.
    let address: String

    /// Lines of what was asked: method, path and status.
    var requests: [String] {
        let text =
            (try? String(contentsOfFile: directory.path.appending("log").string, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").compactMap { line in
            guard let start = line.range(of: "] \"") else { return nil }
            return String(line[start.upperBound...])
        }
    }

    /// How often a client began to send a blob.
    var uploads: Int { requests.count { $0.hasPrefix("POST ") && !$0.contains("\" 201 ") } }

    static var isThere: Bool { access("/usr/bin/docker-registry", X_OK) == 0 }

    /// `passwords`: lines of an htpasswd file, which is then needed for everything. `certificate`: with TLS. `tokens`: who
    /// gives out what is needed for everything.
    init(
        passwords: String? = nil,
        certificate: TestCertificate? = nil,
        tokens: TokenService? = nil
    ) throws {
        directory = try TemporaryDirectory()
        let path = directory.path.string
        let tls = certificate.map { ", tls: {certificate: \($0.certificate), key: \($0.key)}" } ?? ""
        var config = """
            version: 0.1
            storage: {filesystem: {rootdirectory: \(path)/data}}
            http: {addr: "127.0.0.1:0"\(tls)}
            log: {level: info}

            """
        if let tokens {
            config +=
                "auth: {token: {realm: '\(tokens.realm)', service: \(TokenService.service), "
                + "issuer: \(TokenService.issuer), rootcertbundle: \(tokens.signer.certificate)}}\n"
        }
        if let passwords {
            try directory.write("passwords", Array(passwords.utf8))
            config += "auth: {htpasswd: {realm: test, path: \(path)/passwords}}\n"
        }
        try directory.write("config.yml", Array(config.utf8))
        let log = "\(path)/log"
        guard FileManager.default.createFile(atPath: log, contents: nil) else { throw Errno.ioError }
        process.executableURL = URL(fileURLWithPath: "/usr/bin/docker-registry")
        process.arguments = ["serve", "\(path)/config.yml"]
        process.environment = ["PATH": "/usr/bin:/bin", "OTEL_TRACES_EXPORTER": "none"]
        let handle = FileHandle(forWritingAtPath: log)
        process.standardError = handle
        process.standardOutput = handle
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let mark = "listening on "
        for _ in 0..<30_000 where process.isRunning {
            let text = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
            if let place = text.range(of: mark) {
                let address = text[place.upperBound...].prefix { !"\", \n".contains($0) }
                if address.contains(":") {
                    self.address = String(address)
                    return
                }
            }
            usleep(20_000)
        }
        kill(process.processIdentifier, SIGKILL)
        throw Failure("docker-registry does not listen")
    }

    deinit {
        // The thread that starts it may have other signals blocked, and so has the process then.
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }
}
