import Foundation
import ImageFixtures
import Linux
import OCI
import SystemPackage
import Testing

/// Debian's docker-registry behind TLS, passwords and tokens.
@Suite(
    .timeLimit(.minutes(40)),
    .enabled(if: PullFixture.program != nil, "no built mica"),
    .enabled(if: DockerRegistry.isThere, "docker-registry is not installed"),
    .enabled(if: TokenService.isThere, "openssl or python3 is not installed")
)
struct `A registry that is guarded` {
    private let mica: PullFixture
    private let files: TemporaryDirectory

    /// bcrypt of "secret".
    private static let passwords = "user:$2b$04$w0nlhCP1lcHsWr03P96xZevvGhfepIjWLL.YdtaFuBOOlqh/F2igm\n"

    init() throws {
        files = try TemporaryDirectory()
        mica = try PullFixture()
        try mica.directory.write("root.tar", ArchiveFixture.layer(["a": "made here"]))
        let made = try mica("import", "-q", mica.directory.path.appending("root.tar").string, "made:1")
        #expect(made.status == 0, "\(made.error)")
    }

    /// One with credentials of its own, and with certificates that it believes.
    private func client(believing certificates: FilePath? = nil) throws -> PullFixture {
        var client = try PullFixture()
        client.environment["DOCKER_CONFIG"] = client.directory.path.appending("auth").string
        if let certificates { client.environment["MICA_CERTS_D"] = certificates.string }
        return client
    }

    private func login(_ client: PullFixture, _ address: String, _ password: String) throws
        -> (status: Int32, output: String, error: String)
    { try client.run(["login", "-u", "user", "--password-stdin", address], input: password) }

    /// `client` has the image `made:1` afterwards.
    private func give(_ client: PullFixture) throws {
        let archive = files.path.appending("made.tar").string
        if access(archive, R_OK) != 0 { #expect(try mica("save", "-o", archive, "made:1").status == 0) }
        #expect(try client("load", "-q", "-i", archive).status == 0)
    }

    /// What `other` has after a pull of `name` is the image that was made.
    private func expectImage(_ name: String, pulledBy other: PullFixture) throws {
        let pulled = try other("pull", name)
        #expect(pulled.status == 0, "\(pulled.error)")
        #expect(
            try other("images", "-q", "--no-trunc", name).output == mica("images", "-q", "--no-trunc").output
        )
    }

    @Test func `by TLS is believed by its certificate`() throws {
        let certificate = try TestCertificate(in: files)
        let registry = try DockerRegistry(certificate: certificate)
        let name = "\(registry.address)/team/app:v1"
        let believed = try certificate.install(for: registry.address, in: files)
        let (here, there, stranger) = (
            try client(believing: believed), try client(believing: believed), try client()
        )
        try give(here)
        let pushed = try here("push", "made:1", name)
        #expect(pushed.status == 0, "\(pushed.error)")
        try expectImage(name, pulledBy: there)
        for arguments in [
            ["pull", name], ["tags", "\(registry.address)/team/app"], ["manifest", "inspect", name],
        ] {
            let refused = try stranger.run(arguments)
            #expect(refused.status == 1 && refused.error.contains("certificate"), "\(refused.error)")
        }
        #expect(try stranger("pull", "--tls-verify=false", name).status == 0)
        #expect(try there("tags", "\(registry.address)/team/app").output == "v1\n")
    }

    @Test func `by TLS and passwords lets in who has logged in`() throws {
        let certificate = try TestCertificate(in: files)
        let registry = try DockerRegistry(passwords: Self.passwords, certificate: certificate)
        let name = "\(registry.address)/team/app:v1"
        let here = try client(believing: try certificate.install(for: registry.address, in: files))
        try give(here)
        let early = try here("push", "made:1", name)
        #expect(early.status == 1 && early.error.contains("mica login"), "\(early.error)")
        let wrong = try login(here, registry.address, "guess")
        #expect(wrong.status == 1 && wrong.error.contains("does not take"), "\(wrong.error)")
        let done = try login(here, registry.address, "secret")
        #expect(done.status == 0, "\(done.error)")
        let pushed = try here("push", "made:1", name)
        #expect(pushed.status == 0, "\(pushed.error)")
        #expect(try here("rmi", "made:1").status == 0)
        try expectImage(name, pulledBy: here)
        #expect(try here("logout", registry.address).status == 0)
        #expect(try here("pull", name).status == 1)
    }

    @Test(arguments: [false, true])
    func `by tokens lets pull who has no password, and push who has one`(isTLS: Bool) throws {
        let certificate = isTLS ? try TestCertificate(in: files) : nil
        let tokens = try TokenService(certificate: certificate)
        let registry = try DockerRegistry(certificate: certificate, tokens: tokens)
        let name = "\(registry.address)/team/app:v1"
        let believed = try certificate?.install(for: registry.address, in: files)
        let (here, there) = (try client(believing: believed), try client(believing: believed))
        try give(here)
        let early = try here("push", "made:1", name)
        #expect(early.status == 1 && early.error.contains("mica login"), "\(early.error)")
        #expect(try login(here, registry.address, "guess").status == 1)
        let done = try login(here, registry.address, "secret")
        #expect(done.status == 0, "\(done.error)")
        let pushed = try here("push", "made:1", name)
        #expect(pushed.status == 0, "\(pushed.error)")
        #expect(
            tokens.given.contains { $0.hasPrefix("user ") && $0.contains("repository:team/app:pull,push") }
        )
        try expectImage(name, pulledBy: there)
        #expect(tokens.given.contains("- repository:team/app:pull"))
        // From one repository into another: the token is for both, or the blob is sent.
        let copied = try here("push", "made:1", "\(registry.address)/copy:v1")
        #expect(copied.status == 0, "\(copied.error)")
        try expectImage("\(registry.address)/copy:v1", pulledBy: there)
    }

    @Test func `by tokens takes a token in place of a password`() throws {
        let tokens = try TokenService()
        let registry = try DockerRegistry(tokens: tokens)
        let name = "\(registry.address)/team/app:v1"
        let here = try client()
        try give(here)
        let entry = #"{"auth": "\#(Data("<token>:".utf8).base64EncodedString())", "identitytoken": "again"}"#
        try here.directory.write(
            "auth/config.json",
            Array(#"{"auths": {"\#(registry.address)": \#(entry)}}"#.utf8)
        )
        let pushed = try here("push", "made:1", name)
        #expect(pushed.status == 0, "\(pushed.error)")
        #expect(tokens.given.allSatisfy { $0.hasPrefix("user ") })
        try expectImage(name, pulledBy: try client())
    }
}
