import Digests
import Foundation
import Linux
import SystemPackage

/// The files of an archive or a layout, written by hand: what other tools write, and what none should.
struct ArchiveFiles {
    /// In the order of the tar.
    private(set) var entries: Layer = []

    mutating func add(_ name: String, _ content: [UInt8]) {
        entries.append(LayerEntry(path: Path(Array(name.utf8)), kind: .file(content)))
    }

    mutating func add(_ name: String, _ content: String) { add(name, Array(content.utf8)) }

    mutating func link(_ name: String, to target: String) {
        entries.append(.symlink(Path(Array(name.utf8)), to: target))
    }

    mutating func remove(_ name: String) { entries.removeAll { $0.path == Path(Array(name.utf8)) } }

    mutating func prefixNames(with prefix: String) {
        for position in entries.indices {
            entries[position].path = Path(Array(prefix.utf8) + entries[position].path.bytes)
        }
    }

    /// Adds a blob; the members of a descriptor of it, without braces.
    mutating func blob(_ content: [UInt8], _ mediaType: String?) -> String {
        let digest = SHA256.digest(of: content)
        add("blobs/sha256/\(digest.hex)", content)
        let type = mediaType.map { #""mediaType":"\#($0)","# } ?? ""
        return #"\#(type)"digest":"\#(digest)","size":\#(content.count)"#
    }

    mutating func blob(_ content: String, _ mediaType: String?) -> String {
        blob(Array(content.utf8), mediaType)
    }

    mutating func index(_ manifests: [String]) {
        add("oci-layout", #"{"imageLayoutVersion":"1.0.0"}"#)
        add("index.json", #"{"schemaVersion":2,"manifests":[\#(manifests.joined(separator: ","))]}"#)
    }

    func write(to directory: String) throws {
        for entry in entries {
            let path = FilePath("\(directory)/\(entry.path)")
            try path.removingLastComponent().makeDirectories()
            switch entry.kind {
            case .file(let content): try Data(content).write(to: URL(fileURLWithPath: path.string))
            case .symlink(let target):
                try FileManager.default.createSymbolicLink(
                    atPath: path.string,
                    withDestinationPath: String(decoding: target, as: UTF8.self)
                )
            default: throw Failure("\(path): neither a file nor a link")
            }
        }
    }
}
