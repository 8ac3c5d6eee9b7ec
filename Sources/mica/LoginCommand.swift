import ArgumentParser
import Images
import Linux
import OCI

import Glibc

struct LoginCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "login",
        _superCommandName: Mica.name,
        abstract: "Keep a name and a password for a registry.",
        discussion: """
            REGISTRY is a host, maybe with a port; docker.io without it. The registry is asked first: what it does not take \
            is not kept. What is not given is asked for at the terminal.

            They are kept by the credential helper that docker's config.json or containers' auth.json names, or in that \
            file, readable by its owner alone: the file that has an entry for the registry already; else \
            $REGISTRY_AUTH_FILE, $DOCKER_CONFIG/config.json or ~/.docker/config.json. docker, podman, skopeo and buildah \
            read the same.
            """
    )

    @Option(name: .shortAndLong, help: ArgumentHelp("The name.", valueName: "name")) var username: String?

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("The password; everybody on this machine can see it.", valueName: "password")
    )
    var password: String?

    @Flag(help: "Read the password from standard input.") var passwordStdin = false

    @Option(
        help: ArgumentHelp("Whether certificates are verified, and TLS is needed.", valueName: "true|false")
    )
    var tlsVerify = "true"

    @Argument(help: "A registry.") var registry = "docker.io"

    func run() throws {
        let account = RegistryAccount(
            try RegistryHost(registry).domain,
            verifiesTLS: try TLSVerify.value(tlsVerify)
        )
        guard password == nil || !passwordStdin else {
            throw Failure("-p and --password-stdin are two passwords", exitCode: 64)
        }
        if passwordStdin, username == nil {
            throw Failure("--password-stdin wants a name, too", advice: "Give it by -u.", exitCode: 64)
        }
        let user = try username ?? PasswordPrompt.ask("Username: ", isSecret: false)
        let secret = try given() ?? PasswordPrompt.ask("Password: ", isSecret: true)
        guard !user.isEmpty, !secret.isEmpty else { throw Failure("a name and a password are wanted") }
        let words = try account.login(user: user, password: secret)
        print("Login succeeded: \(words)")
    }

    /// nil if the password is to be asked for.
    private func given() throws -> String? {
        if let password {
            Mica.complain("a password on the command line can be seen by everybody; --password-stdin can't")
            return password
        }
        guard passwordStdin else { return nil }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while bytes.count < 1 << 16 {
            let count = try naming("read standard input") {
                try buffer.withUnsafeMutableBytes { try InheritedFD(STDIN_FILENO).read(into: $0) }
            }
            if count == 0 { break }
            bytes += buffer[..<count]
        }
        return String(decoding: bytes, as: UTF8.self).withoutLineEnd
    }
}

extension String {
    /// The string without line ends at its end.
    fileprivate var withoutLineEnd: String {
        var text = self[...]
        while let last = text.last, last.isNewline { text.removeLast() }
        return String(text)
    }
}
