import Containers
import Runner

extension ContainerRun {
    /// A command line of plain words that the parser would take as they are; nil for every other one, which is left
    /// to the parser (docs/adr/0016-plain-command-lines.md).
    init?(plain arguments: ArraySlice<String>) {
        self.init(
            root: nil,
            process: ProcessRequest(),
            isDetached: false,
            pull: .missing,
            request: RunRequest(image: "")
        )
        var rest = arguments
        while let option = rest.first, option.hasPrefix("-") {
            rest.removeFirst()
            if takeFlag(option) { continue }
            guard let value = rest.popFirst(), !value.hasPrefix("-"), take(option, value) else { return nil }
        }
        guard let image = rest.popFirst(), rest.first?.hasPrefix("-") != true else { return nil }
        request.image = image
        request.command = Array(rest)
        request.apply(process)
    }

    private mutating func takeFlag(_ option: String) -> Bool {
        switch option {
        case "-d", "--detach": isDetached = true
        case "-i", "--interactive": process.interactive = true
        case "-t", "--tty": process.tty = true
        case "--rm": request.removeAtExit = true
        default: return false
        }
        return true
    }

    /// false: the parser decides.
    private mutating func take(_ option: String, _ value: String) -> Bool {
        switch option {
        case "-e", "--env": process.env.append(value)
        case "-w", "--workdir": process.workdir = value
        case "-u", "--user": process.user = value
        case "--name": request.name = value
        case "-h", "--hostname": request.hostname = value
        case "-v", "--volume":
            guard let volume = try? Volume(parsing: value, in: GlobalOptions.currentDirectory()) else {
                return false
            }
            request.volumes.append(volume)
        case "--root" where root == nil: root = value
        default: return false
        }
        return true
    }
}
