import Linux
import OCI
import Testing

@Suite(.timeLimit(.minutes(40))) struct `Image reference` {
    @Test(arguments: [
        ("debian", "docker.io/library/debian:latest", "debian:latest"),
        ("debian:12", "docker.io/library/debian:12", "debian:12"),
        ("library/debian", "docker.io/library/debian:latest", "debian:latest"),
        ("docker.io/debian", "docker.io/library/debian:latest", "debian:latest"),
        ("index.docker.io/library/debian", "docker.io/library/debian:latest", "debian:latest"),
        ("me/app:v1", "docker.io/me/app:v1", "me/app:v1"),
        ("library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"),
        ("localhost/app", "localhost/app:latest", "localhost/app:latest"),
        ("localhost:5000/app:x", "localhost:5000/app:x", "localhost:5000/app:x"),
        ("ghcr.io/o/p_q/r.s--t:V_1.0-x", "ghcr.io/o/p_q/r.s--t:V_1.0-x", "ghcr.io/o/p_q/r.s--t:V_1.0-x"),
        ("[::1]:5000/app", "[::1]:5000/app:latest", "[::1]:5000/app:latest"),
        ("localhost", "docker.io/library/localhost:latest", "localhost:latest"),
    ])
    func `is made whole by docker's rules`(text: String, whole: String, familiar: String) throws {
        let reference = try ImageReference(text)
        #expect(reference.description == whole)
        #expect(reference.familiar == familiar)
        #expect(try ImageReference(whole) == reference)
        #expect(try ImageReference(familiar) == reference)
    }

    @Test func `with a digest has no tag unless one was given`() throws {
        let digest = "sha256:" + String(repeating: "a1", count: 32)
        let reference = try ImageReference("debian@\(digest)")
        #expect(reference.tag == nil)
        #expect(reference.description == "docker.io/library/debian@\(digest)")
        #expect(try ImageReference("debian:12@\(digest)").familiar == "debian:12@\(digest)")
    }

    @Test(arguments: [
        "", ":", "a:", ":a", "/a", "a/", "a//b", "Debian", "a/B", "a:b:c", "a:-x", "a:.x", "a__b/c___d", "-a",
        "a-", "a..b", "a b", "ä", "../a", "a/../b", "a@", "a@sha256:12", "a@sha512:00", "host:/a", "host:0/a",
        "-host.x/a", "\u{0}", "a\n", String(repeating: "0", count: 64), String(repeating: "a", count: 300),
        "a:" + String(repeating: "t", count: 129),
    ])
    func `that breaks the rules is refused`(text: String) {
        #expect(throws: Failure.self) { try ImageReference(text) }
    }
}
