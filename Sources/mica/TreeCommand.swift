import ArgumentParser
import Digests
import Linux
import OCI
import Snapshots

struct TreeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tree",
        _superCommandName: Mica.name,
        abstract: "Show which images stand on which layers.",
        discussion: """
            A layer a line, those on top of it below, with its size and the images that end there. What stands on one layer \
            only is not indented further.
            """
    )

    @OptionGroup var global: GlobalOptions

    @Argument(help: ArgumentHelp("Only these; all without.", valueName: "image"), completion: .images)
    var images: [String] = []

    /// A layer at its place in the stacks.
    private final class Node {
        let layer: Digest
        var names: [String] = []
        var above: [Node] = []
        init(_ layer: Digest) { self.layer = layer }
    }

    func run() throws {
        let store = try global.store()
        let chosen = try images.isEmpty ? store.images() : images.map { try store.image(named: $0) }
        let sizes = try LayerSizes(store)
        let root = Node(SHA256.digest(of: []))
        for image in chosen {
            var node = root
            for layer in image.layers {
                let known = node.above.first { $0.layer == layer }
                let next = known ?? Node(layer)
                if known == nil { node.above.append(next) }
                node = next
            }
            let names = image.names.isEmpty ? ["<none>"] : image.names
            node.names += names.map { "\($0) (\(image.id.hex.prefix(12)))" }
        }
        for name in root.names { print("no layers  \(name)") }
        // Without recursion, because a stack can have any height.
        var pending = root.above.reversed().map { (node: $0, indent: "", mark: "") }
        while let (node, indent, mark) = pending.popLast() {
            let names = node.names.isEmpty ? "" : "  \(node.names.joined(separator: ", "))"
            print(
                "\(indent)\(mark)\(node.layer.hex.prefix(12)) \(Human.size(sizes.size(node.layer)))\(names)"
            )
            let inner = indent + (mark.isEmpty ? "" : mark.hasPrefix("└") ? "   " : "│  ")
            let isOnly = node.above.count == 1
            for (number, next) in node.above.enumerated().reversed() {
                let isLast = number == node.above.count - 1
                pending.append((next, inner, isOnly ? "" : isLast ? "└─ " : "├─ "))
            }
        }
    }
}
