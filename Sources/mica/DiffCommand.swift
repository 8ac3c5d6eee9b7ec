import Changes
import ArgumentParser
import FoundationEssentials
import Linux
import Snapshots

struct DiffCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff",
        _superCommandName: Mica.name,
        abstract: "Show what a container changed, or what is different between two trees.",
        discussion: """
            With one argument, a container or an active snapshot is compared with what it was made from. With two, \
            the second is compared with the first: images, snapshots and containers, in any mixture. A was added, \
            C changed, D deleted.
            """
    )

    @OptionGroup var global: GlobalOptions

    @Option(help: "table or json; json has sizes, in bytes.")
    var format: OutputFormat = .table

    @Argument(help: "A container, an image or a snapshot.", completion: .subjects)
    var one: String

    @Argument(help: "Another.", completion: .subjects)
    var other: String?

    func run() throws {
        let store = try Store.open(global.layout)
        let rows = Rows()
        let output = ByteOutput()
        let report: (Change) throws -> Void = { change in
            switch format {
            case .table: try output.line(Array("\(change.kind.rawValue) ".utf8) + change.path)
            case .json: rows.list.append(Row(change))
            }
        }
        if let other {
            try store.diff(one, other, report: report)
        } else {
            try store.diff(one, report: report)
        }
        try output.flush()
        if format == .json { try printJSON(rows.list) }
    }

    private final class Rows {
        var list: [Row] = []
    }

    private struct Row: Encodable {
        var kind: String
        var path: String
        /// Base64 of a path that is not UTF-8.
        var bytes: String?
        var size: UInt64
        var difference: Int64

        init(_ change: Change) {
            kind = change.kind.rawValue
            path = String(decoding: change.path, as: UTF8.self)
            bytes = Array(path.utf8) == change.path ? nil : Data(change.path).base64EncodedString()
            size = change.size
            difference = change.difference
        }
    }
}
