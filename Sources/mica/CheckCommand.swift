import ArgumentParser
import Linux
import Snapshots

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fsck",
        _superCommandName: Mica.name,
        abstract: "Look whether everything in the store is there and whole.",
        discussion: """
            Says which images and containers a damage concerns. Nothing is deleted: what is damaged is set apart in the \
            store's directory lost, so that loading an image again brings it back. Exits with 1 where something is \
            left to be done.
            """
    )

    @OptionGroup var global: GlobalOptions

    @Flag(help: "Read all data, and compare it with its digests.")
    var deep = false

    @Flag(help: "Mend what can be mended, and set the rest apart.")
    var repair = false

    @Option(help: "table or json.")
    var format: OutputFormat = .table

    func run() throws {
        let findings = try StoreCheck.run(try global.layout, isDeep: deep, repairs: repair)
        switch format {
        case .json: try printJSON(findings.map { Row($0) })
        case .table: for finding in findings { show(finding) }
        }
        let open = findings.count { $0.isOpen }
        if format == .table {
            print(findings.isEmpty ? "Everything is in order" : "\(findings.count) found, \(open) to be done")
        }
        if open > 0 { throw ExitCode(1) }
    }

    private func show(_ finding: Finding) {
        let outcome = finding.outcome == .left ? "" : " (\(finding.outcome.rawValue))"
        print("\(finding.kind.rawValue) \(finding.name)\(outcome): \(finding.problem)")
        let users = [
            ("images", finding.images), ("containers", finding.containers), ("snapshots", finding.snapshots),
        ]
        for (what, names) in users where !names.isEmpty {
            print("  \(what): \(names.joined(separator: ", "))")
        }
        if let advice = finding.advice { print("  \(advice)") }
    }

    private struct Row: Encodable {
        var kind: String
        var name: String
        var problem: String
        var outcome: String
        var images: [String]
        var containers: [String]
        var snapshots: [String]
        var advice: String?

        init(_ finding: Finding) {
            kind = finding.kind.rawValue
            name = finding.name
            problem = finding.problem
            outcome = finding.outcome.rawValue
            images = finding.images
            containers = finding.containers
            snapshots = finding.snapshots
            advice = finding.advice
        }
    }
}
