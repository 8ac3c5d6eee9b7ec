import Foundation
import Glibc
import ImageFixtures
import Linux
import SystemPackage

/// A certificate for 127.0.0.1 and registry.invalid that no other program believes, and its key: files `certificate` and `key` of a test's directory.
struct TestCertificate {
    let certificate: FilePath
    let key: FilePath

    /// Its key is RSA, because Go's registries sign and verify tokens with that.
    init(in directory: TemporaryDirectory) throws {
        certificate = directory.path.appending("certificate")
        key = directory.path.appending("key")
        let make = Process()
        make.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
        make.arguments =
            ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key.string]
            + ["-out", certificate.string, "-subj", "/CN=test", "-days", "2"]
            + ["-addext", "subjectAltName=IP:127.0.0.1,DNS:registry.invalid"]
        make.standardError = FileHandle.nullDevice
        make.standardInput = FileHandle.nullDevice
        try make.run()
        make.waitUntilExit()
        guard make.terminationStatus == 0 else { throw Failure("openssl makes no certificate") }
    }

    /// Has it believed for a registry: returns a `certs.d` in `parent`.
    func install(for address: String, in parent: TemporaryDirectory) throws -> FilePath {
        let bytes = try OwnedFD.open(certificate, O_RDONLY).contents(limit: 1 << 16)
        try parent.write("certs.d/\(address)/ca.crt", bytes)
        return parent.path.appending("certs.d")
    }
}
