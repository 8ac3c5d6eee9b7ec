import ArgumentParser
import Linux
import Snapshots

struct SnapshotCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "snapshot",
        _superCommandName: Mica.name,
        abstract: "Prepare, commit and inspect snapshots.",
        discussion: """
            An active snapshot is written to and becomes a committed one, which never changes and can be the parent \
            of others. Every image's layers are committed snapshots, named by their chain IDs.
            """,
        subcommands: [
            Prepare.self, View.self, Commit.self, Remove.self, List.self, Stat.self, Usage.self,
        ]
    )

    /// NAME=VALUE, repeated.
    struct Labels: ParsableArguments {
        @Option(name: [.short, .long], help: ArgumentHelp("A label. Repeatable.", valueName: "name=value"))
        var label: [String] = []

        func dictionary() throws -> [String: String] {
            var labels: [String: String] = [:]
            for text in label {
                guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
                    throw Failure("the label \"\(text)\" is not NAME=VALUE", kind: .invalidArgument)
                }
                labels[String(text[..<equals])] = String(text[text.index(after: equals)...])
            }
            return labels
        }
    }

    /// The key of a parent, which may also be given as an image.
    static func parent(_ name: String?, in store: Store) throws -> String? {
        guard let name else { return nil }
        do {
            return try store.snapshot(name).key
        } catch let failure as Failure where failure.kind == .notFound {
            guard let image = try? store.image(named: name) else { throw failure }
            return try store.topSnapshot(of: image.id)
        }
    }
}

extension SnapshotCommand {
    struct Prepare: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Make an active snapshot.")

        @OptionGroup var global: GlobalOptions
        @OptionGroup var labels: Labels

        @Argument(help: "Its key.")
        var key: String

        @Argument(help: "A committed snapshot or an image. Without one, it begins empty.")
        var parent: String?

        func run() throws {
            let store = try Store.open(global.layout)
            let parent = try SnapshotCommand.parent(parent, in: store)
            print(try store.prepare(key, parent: parent, labels: labels.dictionary()).key)
        }
    }

    struct View: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Make a snapshot that is only read.")

        @OptionGroup var global: GlobalOptions
        @OptionGroup var labels: Labels

        @Argument(help: "Its key.")
        var key: String

        @Argument(help: "A committed snapshot or an image.")
        var parent: String?

        func run() throws {
            let store = try Store.open(global.layout)
            let parent = try SnapshotCommand.parent(parent, in: store)
            print(try store.view(key, parent: parent, labels: labels.dictionary()).key)
        }
    }

    struct Commit: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a committed snapshot of an active one, which goes."
        )

        @OptionGroup var global: GlobalOptions
        @OptionGroup var labels: Labels

        @Argument(help: "The name of the committed one.")
        var name: String

        @Argument(help: "The key of the active one.", completion: .snapshots)
        var key: String

        func run() throws {
            let store = try Store.open(global.layout)
            let record = try store.commit(name: name, key: key, labels: labels.dictionary()) {
                Mica.complain("warning: \($0)")
            }
            print(record.key)
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "rm", abstract: "Remove snapshots.")

        @OptionGroup var global: GlobalOptions

        @Argument(help: "Keys.", completion: .snapshots)
        var keys: [String]

        func run() throws {
            let store = try Store.open(global.layout)
            for key in keys {
                try store.remove(key)
                print(key)
            }
        }
    }
}
