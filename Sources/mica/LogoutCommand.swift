import ArgumentParser
import Images
import Linux

struct LogoutCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logout",
        _superCommandName: Mica.name,
        abstract: "Forget the name and the password for a registry.",
        discussion: """
            REGISTRY is a host, maybe with a port; docker.io without it. They go from every file in which mica looks for \
            them, and from the credential helpers named there.
            """
    )

    @Argument(help: "A registry.") var registry = "docker.io"

    func run() throws {
        let domain = try RegistryHost(registry).domain
        let files = try RegistryAccount(domain).logout()
        guard !files.isEmpty else { throw Failure("there is no name and password for \(domain)") }
        for file in files { print("Removed the entry of \(domain): \(file)") }
    }
}
