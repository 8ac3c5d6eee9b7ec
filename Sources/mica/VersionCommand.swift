import ArgumentParser
import Linux
import OCI

struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "version",
        _superCommandName: Mica.name,
        abstract: "Show the versions of mica and of the kernel."
    )

    @OptionGroup var global: GlobalOptions

    @Option(name: .shortAndLong, help: "table, json, or a template with docker's fields.")
    var format = "table"

    private struct Report: Encodable {
        var mica: String
        var linux: String
    }

    func run() throws {
        let report = Report(mica: Mica.version, linux: Machine.kernel.release)
        switch format {
        case "json": try printJSON(report)
        case "table": print("mica \(report.mica), Linux \(report.linux)")
        default:
            // mica is its own client and server.
            let part: [String: JSONValue] = [
                "Version": .string(report.mica), "Os": .string(Platform.host.os),
                "Arch": .string(Platform.host.architecture), "KernelVersion": .string(report.linux),
            ]
            let value = ["Client": JSONValue.object(part), "Server": .object(part)]
            try FormatTemplate(format, names: value.keys.sorted(), of: "version").show([.object(value)])
        }
    }
}
