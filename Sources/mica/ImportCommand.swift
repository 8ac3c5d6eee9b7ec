import ArgumentParser
import Dockerfile
import Images
import Linux
import OCI
import Snapshots

import Glibc

struct ImportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        _superCommandName: Mica.name,
        abstract: "Make an image of a root filesystem's tar."
    )

    @OptionGroup var global: GlobalOptions

    @OptionGroup var limits: LayerLimitOptions

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp(
            "A Dockerfile instruction for the image's config: CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL,"
                + " ONBUILD, STOPSIGNAL, USER, VOLUME, WORKDIR. Repeatable.",
            valueName: "instruction"
        )
    )
    var change: [String] = []

    @Option(name: .shortAndLong, help: "A comment for the image's history.")
    var message: String?

    @Flag(name: .shortAndLong, help: "No progress.")
    var quiet = false

    @Argument(
        help: ArgumentHelp("The tar, plain or compressed; - for standard input.", valueName: "tar"),
        completion: .file()
    )
    var input: String

    @Argument(help: ArgumentHelp("What to call the image.", valueName: "name"))
    var name: String?

    func run() throws {
        Interruption.cleansUp()
        if input == "-", isatty(STDIN_FILENO) == 1 {
            throw Failure("standard input is a terminal", advice: "Pipe a tar into it, or name a file.")
        }
        if input.hasPrefix("http://") || input.hasPrefix("https://") {
            throw Failure("mica fetches nothing from the network", advice: "curl -L \(input) | mica import -")
        }
        let progress = Progress(quiet: quiet)
        let source = ImageInput(argument: input)
        let row = progress.add(source.name, total: source.size)
        let image = try ImageImport(store: try global.store(), limits: try limits.limits()).load(
            source,
            as: try name.map { try ImageReference($0) },
            changes: try change.map { try ConfigChange($0) },
            message: message,
            created: try Timestamp.ofCreation(),
            report: { progress.update(row, done: $0) }
        )
        progress.finish(row, "\(Human.size(image.size)) imported")
        progress.close()
        print(image.id)
    }
}

extension ImageInput {
    /// Bytes; nil when the size is not known beforehand.
    fileprivate var size: UInt64? {
        guard case .path(let path) = self, let status = try? path.status(), status.st_mode & S_IFMT == S_IFREG
        else {
            return nil
        }
        return UInt64(status.st_size)
    }
}
