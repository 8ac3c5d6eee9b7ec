import ArgumentParser
import Linux
import OCI
import Snapshots

struct TagCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tag",
        _superCommandName: Mica.name,
        abstract: "Give an image one more name."
    )

    @OptionGroup var global: GlobalOptions

    @Argument(help: "A name or an ID.", completion: .images)
    var image: String

    @Argument(help: ArgumentHelp("The new name; it leaves the image that has it.", valueName: "name"))
    var name: String

    func run() throws {
        let reference = try ImageReference(name)
        guard reference.digest == nil else { throw Failure("\(name): a digest can't be given, only a tag") }
        let store = try global.store()
        try store.tag(try store.image(named: image).id, as: reference.familiar)
    }
}
