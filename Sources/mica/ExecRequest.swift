import ArgumentParser
import Containers
import Linux
import Runner
import Snapshots

/// The arguments of `mica exec`, without a command's property wrappers: to make those takes a seventh of an exec.
struct ExecRequest {
    /// The store's directory; nil: the default one.
    var root: String?
    var process = ProcessRequest()
    var isDetached = false
    var container = ""
    var command: [String] = []

    init() {}

    /// A command line of plain words that the parser would take as they are; nil for every other one, which is left
    /// to the parser (docs/adr/0016-plain-command-lines.md).
    init?(plain arguments: ArraySlice<String>) {
        var rest = arguments
        while let option = rest.first, option.hasPrefix("-") {
            rest.removeFirst()
            switch option {
            case "-i", "--interactive":
                process.interactive = true
                continue
            case "-t", "--tty":
                process.tty = true
                continue
            case "-it":
                process.interactive = true
                process.tty = true
                continue
            default: break
            }
            guard let value = rest.popFirst(), !value.hasPrefix("-") else { return nil }
            switch option {
            case "-e", "--env": process.env.append(value)
            case "-w", "--workdir": process.workdir = value
            case "-u", "--user": process.user = value
            case "--root" where root == nil: root = value
            default: return nil
            }
        }
        guard let name = rest.popFirst(), let program = rest.first, !program.hasPrefix("-") else {
            return nil
        }
        container = name
        command = Array(rest)
    }

    /// Throws an ExitCode with the command's status when it ends, unless it is detached.
    func run() throws { try ExitStatus.ofCommand { try execute() } }

    private func execute() throws {
        let containers = Containers(try Store.open(GlobalOptions.layout(root: root)))
        let container = try containers.container(named: container)
        var request = Containers.ExecRequest(command)
        request.environment = process.environment
        request.directory = process.workdir
        request.user = process.user
        request.terminal = process.tty
        request.interactive = process.interactive
        if isDetached { return try containers.executeDetached(request, in: container) }
        let console = try Console(process)
        let status = try containers.execute(request, in: container, console.attachment)
        throw ExitCode(try console.exitStatus(status).rawValue)
    }
}
