import ArgumentParser
import Images
import Linux
import SystemPackage

import Glibc

struct SaveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "save",
        _superCommandName: Mica.name,
        abstract: "Save images to one archive.",
        discussion:
            "The archive is a docker-archive and an OCI layout: docker, podman, skopeo and umoci read it."
    )

    @OptionGroup var global: GlobalOptions

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("Write to this file; - for standard output.", valueName: "file"),
        completion: .file()
    )
    var output = "-"

    @Argument(help: ArgumentHelp("Names or IDs.", valueName: "image"), completion: .images)
    var images: [String]

    func run() throws {
        Interruption.cleansUp()
        let save = ImageSave(store: try global.store())
        if output == "-" {
            guard isatty(STDOUT_FILENO) == 0 else {
                throw Failure("standard output is a terminal", advice: "Name a file: mica save -o FILE")
            }
            let out = try OwnedFD(adopting: STDOUT_FILENO).duplicate()
            return try save.save(images) { bytes in try naming("write") { try out.writeAll(bytes) } }
        }
        var file = try OutputFile(FilePath(output))
        try save.save(images) { try file.write($0) }
        try file.finish()
    }
}
