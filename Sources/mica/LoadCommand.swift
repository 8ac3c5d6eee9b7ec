import ArgumentParser
import Digests
import Images
import Linux
import OCI
import Snapshots
import SystemPackage

import Glibc

struct LoadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "load",
        _superCommandName: Mica.name,
        abstract: "Load images from an archive or a layout.",
        discussion: """
            Reads docker-archives and OCI layouts, in a tar (plain, gzip, zstd) or in a directory. Of an image for \
            several platforms it takes this machine's. What is beside the images and is none, such as signatures and \
            attestations, is skipped with a line on standard error.
            """
    )

    @OptionGroup var global: GlobalOptions

    @OptionGroup var limits: LayerLimitOptions

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp(
            "The archive, or the directory of a layout or of an unpacked archive; - for standard input.",
            valueName: "file"
        ),
        completion: .file()
    )
    var input = "-"

    @Option(name: .shortAndLong, help: ArgumentHelp("Call the archive's only image this.", valueName: "name"))
    var tag: String?

    @Flag(name: .shortAndLong, help: "Print image IDs only.")
    var quiet = false

    func run() throws {
        Interruption.cleansUp()
        if input == "-", isatty(STDIN_FILENO) == 1 {
            throw Failure("standard input is a terminal", advice: "Name an archive: mica load -i FILE")
        }
        let progress = LayerProgress(quiet: quiet)
        let loaded: [ImageLoad.Loaded]
        do {
            loaded = try ImageLoad(store: try global.store(), limits: try limits.limits()).load(
                ImageInput(argument: input),
                as: try tag.map { try ImageReference($0) },
                report: { progress.show($0) }
            )
        } catch {
            progress.close()
            throw error
        }
        progress.close()
        for result in loaded {
            if quiet {
                print(result.image.id)
                continue
            }
            let what = result.isNew ? "Loaded image" : "Already there"
            if result.names.isEmpty { print("\(what): \(result.image.id)") }
            for name in result.names { print("\(what): \(name)") }
        }
    }
}

extension ImageInput {
    init(argument: String) { self = argument == "-" ? .standardInput : .path(FilePath(argument)) }
}
