import ArgumentParser
import Linux
import SystemPackage

import CLinux
import Glibc

@main
struct Mica: ParsableCommand {
    static let name = "mica"
    static let configuration = CommandConfiguration(
        commandName: name,
        abstract: "Layered filesystems for containers.",
        usage: "mica [--root DIR] VERB [OPTIONS] [ARGUMENTS]",
        discussion: """
            Everything is in one store: --root DIR, before or after the verb; else $MICA_ROOT; else /var/lib/mica for \
            root, $XDG_DATA_HOME/mica (~/.local/share/mica) for everybody else.

            A first image: mica pull debian:12
            Look at it: mica mount debian:12 DIR, mica umount DIR
            Change it: mica run --name work -it debian:12 bash, mica diff work, mica commit work debian:mine

            What becomes of docker's verbs and options: docs/docker.md. Manual: mica(1).
            """,
        version: version,
        groupedSubcommands: [
            CommandGroup(name: "Image", subcommands: imageCommands),
            CommandGroup(name: "Mount", subcommands: mountCommands),
            CommandGroup(name: "Container", subcommands: containerCommands),
            CommandGroup(name: "Snapshot", subcommands: snapshotCommands),
            CommandGroup(name: "Store and machine", subcommands: storeCommands),
        ]
    )
    static let version = "0.1.0"

    static func main() {
        // A write beyond RLIMIT_FSIZE is to fail with EFBIG.
        signal(SIGXFSZ, SIG_IGN)
        // A parent that ignores SIGCHLD passes that on, and then waiting for a child fails.
        signal(SIGCHLD, SIG_DFL)
        // Writes to descriptors that another process made O_NONBLOCK wait.
        clinux_wait_for_output()
        // The arguments that glibc passed to a constructor (CLinux/arguments.c): without /proc Swift would find
        // none.
        let given = Array(CommandLine.arguments.dropFirst())
        var arguments = given
        do {
            arguments = try CommandWords.plain(given)
            if try !runPlain(arguments) {
                var command = try parse(arguments)
                try command.run()
            }
            // print() drops write errors; fflush(3) reports them.
            guard fflush(nil) == 0 else { throw Failure("write to standard output", .last) }
        } catch {
            end(with: error, arguments)
        }
    }

    /// Runs what needs no parser. false: nothing was done.
    private static func runPlain(_ arguments: [String]) throws -> Bool {
        let words = arguments.dropFirst()
        switch arguments.first {
        case "mount": if let mount = MountRequest(plain: words) { try mount.run(); return true }
        case "exec": if let exec = ExecRequest(plain: words) { try exec.run(); return true }
        case "run": if let run = ContainerRun(plain: words) { try run.run(); return true }
        case "monitor": return try MonitorCommand.run(plain: words)
        default: break
        }
        return false
    }

    /// The parser looks at every verb before it looks at the command line, which takes longer than many a verb. So
    /// only the named verb parses; when it rejects the line (or is asked for help), the whole parser runs for its
    /// message. Verbs have mica as their super-command: for a root of its own the parser first checks twice whether
    /// it is asked for a completion script, which is half of its time.
    private static func parse(_ arguments: [String]) throws -> any ParsableCommand {
        let named = configuration.subcommands.first { $0.configuration.commandName == arguments.first }
        if let named, let command = try? named.parseAsRoot(Array(arguments.dropFirst())) { return command }
        return try parseAsRoot(arguments)
    }

    /// Reports the error on standard error and exits.
    private static func end(with error: any Error, _ arguments: [String]) -> Never {
        Interruption.yield()
        switch error {
        case let failure as Failure:
            complain(failure)
            fflush(nil)
            Glibc.exit(failure.exitCode)
        case let errno as Errno:
            complain("\(errno)")
            fflush(nil)
            Glibc.exit(1)
        case let code as ExitCode where code != .validationFailure:
            // As a rule a container's status. ArgumentParser would build the whole help before it finds that there
            // is no message.
            fflush(nil)
            Glibc.exit(code.rawValue)
        default: break
        }
        // ArgumentParser's own: help, version, a bare exit code, usage.
        let misuse = Misuse.status(of: arguments.first ?? "")
        if exitCode(for: error) == .validationFailure, misuse != Misuse.usage {
            say("mica: \(message(for: error))\n")
            Glibc.exit(misuse)
        }
        guard !exitCode(for: error).isSuccess else { exit(withError: error) }
        let text = fullMessage(for: error)
        if !text.isEmpty { say("\(text)\n") }
        fflush(nil)
        Glibc.exit(exitCode(for: error).rawValue)
    }

    /// Prints `mica: message` on standard error, in one line.
    static func complain(_ message: String) { say("mica: \(Printable.text(message))\n") }

    static func complain(_ failure: Failure) { say("mica: \(failure)\n") }

    /// Prints to standard error, which may be a terminal, text that may quote anything.
    private static func say(_ text: String) {
        let bytes = Array(Printable.text(text, lines: true).utf8)
        bytes.withUnsafeBytes { try? InheritedFD(STDERR_FILENO).writeAll($0) }
    }
}
