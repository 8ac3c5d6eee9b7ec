import ArgumentParser
import Containers
import Dockerfile
import Linux
import OCI
import Snapshots

struct CommitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "commit",
        _superCommandName: Mica.name,
        abstract: "Make an image of what a container or a snapshot changed.",
        discussion:
            "Prints the new image's ID. The container may be running. What it has in its image's volumes is left out."
    )

    @OptionGroup var global: GlobalOptions

    @Option(name: [.short, .long], help: "What changed, for the image's history.")
    var message: String?

    @Option(name: [.short, .long], help: "Who did it.")
    var author: String?

    @Option(
        name: [.short, .long],
        help: ArgumentHelp(
            "A Dockerfile instruction for the image's config: CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL,"
                + " ONBUILD, STOPSIGNAL, USER, VOLUME, WORKDIR. Repeatable.",
            valueName: "instruction"
        )
    )
    var change: [String] = []

    @Argument(
        help: ArgumentHelp("A container, or an active snapshot.", valueName: "container|snapshot"),
        completion: .subjects
    )
    var subject: String

    @Argument(help: "The new image's name.")
    var name: String?

    func run() throws {
        Interruption.cleansUp()
        let options = CommitOptions(
            message: message,
            author: author,
            changes: try change.map { try ConfigChange($0) }
        )
        let store = try Store.open(global.layout)
        let containers = Containers(store)
        let container = try? containers.container(named: subject)
        if let container, containers.isRootLost(container) {
            Mica.complain(
                "warning: the root filesystem of container \(subject) is lost, because its micafs was killed:"
                    + " the image has what it wrote until then"
            )
        }
        let image = try store.commit(subject, as: name, options: options) {
            Mica.complain("warning: \($0)")
        }
        if let container { containers.tell("commit", of: container, ["imageID": "\(image.id)"]) }
        if let name { store.tell("tag", of: image.id, named: name) }
        print(image.id)
    }
}
