import ArgumentParser
import Linux

struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "version",
        _superCommandName: Mica.name,
        abstract: "Show the versions of mica and of the kernel."
    )

    @OptionGroup var global: GlobalOptions

    @Option(help: "table or json.")
    var format: OutputFormat = .table

    private struct Report: Encodable {
        var mica: String
        var linux: String
    }

    func run() throws {
        let report = Report(mica: Mica.version, linux: Machine.kernel.release)
        switch format {
        case .json: try printJSON(report)
        case .table: print("mica \(report.mica), Linux \(report.linux)")
        }
    }
}
