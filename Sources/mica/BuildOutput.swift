import Build
import Containers
import Images
import Linux
import OCI
import Snapshots
import SystemPackage

import Glibc
import Layers

/// `--output`: where a build's result goes, besides the store.
struct BuildOutput {
    private enum Kind: String { case oci, docker, tar, local, image }

    private let kind: Kind
    private let destination: String

    var isStandardOutput: Bool { destination == "-" }

    /// `DIR` stands for type=local,dest=DIR, and `-` for a tar on standard output.
    init(_ text: String) throws {
        guard text.contains("=") else {
            kind = text == "-" ? .tar : .local
            destination = text
            return
        }
        var fields: [String: String] = [:]
        for part in text.split(separator: ",") {
            let (name, value) = try BuildCommand.pair(String(part), of: "--output")
            fields[name] = value
        }
        let name = fields["type"] ?? ""
        guard let kind = Kind(rawValue: name) else {
            throw Failure(
                "--output: there is no type \"\(name)\"",
                advice: "There are oci, docker, tar and local; a registry gets an image from mica push.",
                kind: .invalidArgument
            )
        }
        let unknown = Set(fields.keys).subtracting(["type", "dest"]).sorted()
        guard unknown.isEmpty else {
            throw Failure("--output: \(unknown[0]) is not known", kind: .invalidArgument)
        }
        self.kind = kind
        destination = fields["dest"] ?? (kind == .image ? "" : "-")
        guard kind != .local || destination != "-" else {
            throw Failure("--output type=local: dest=DIR is missing", kind: .invalidArgument)
        }
        guard destination != "-" || isatty(STDOUT_FILENO) == 0 else {
            throw Failure(
                "standard output is a terminal",
                advice: "Name a file: --output type=\(name),dest=FILE"
            )
        }
    }

    func write(_ image: ImageRecord, named name: String?, of store: Store) throws {
        let archive = ArchiveOutput(destination: destination)
        switch kind {
        case .image: return
        case .oci, .docker:
            let save = ImageSave(store: store)
            try archive.write { sink in try save.save([name ?? "\(image.id)"], to: sink) }
        case .tar:
            try archive.write { sink in try RootExport(store: store).write(image, to: sink) }
        case .local:
            let directory = FilePath(destination)
            // A file without a name: what fails while it is written has made nothing in the directory.
            var path = store.layout.tmp.appending("output-XXXXXX")
            let spool = OpenFile(
                try naming("create a file in \(store.layout.tmp)") { try OwnedFD.create(unique: &path) }
            )
            try path.unlink()
            try RootExport(store: store).write(image) { bytes in
                try naming("write to \(store.layout.tmp)") { try spool.fd.writeAll(bytes) }
            }
            try naming("create \(directory)") { try directory.makeDirectories() }
            _ = try Errno.check(lseek(spool.fd.raw, 0, SEEK_SET))
            try TreeOutput.unpack(FileSource(spool.fd.duplicate()), named: "the image", into: directory)
        }
    }
}
