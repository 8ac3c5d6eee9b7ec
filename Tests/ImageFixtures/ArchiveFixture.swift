package import OCI
package import Tar

import CCodecs
import Linux

/// The files of a layout or an archive, to be written as a directory or a tar.
package struct ArchiveFixture: Sendable {
    /// In the order of the tar.
    package var files: [(entry: TarEntry, content: [UInt8])] = []

    package init() {}

    package mutating func add(_ name: String, _ content: [UInt8]) {
        files.append((TarEntry(path: Array(name.utf8), kind: .file), content))
    }

    package mutating func add(_ name: String, _ content: String) { add(name, Array(content.utf8)) }

    package mutating func link(_ name: String, to target: String, kind: TarEntry.Kind = .symbolicLink) {
        files.append((TarEntry(path: Array(name.utf8), kind: kind, linkTarget: Array(target.utf8)), []))
    }

    package mutating func addBlob(_ content: [UInt8], mediaType: String) -> Descriptor {
        let digest = SHA256.digest(of: content)
        add("blobs/sha256/\(digest.hex)", content)
        return Descriptor(mediaType: mediaType, digest: digest, size: UInt64(content.count))
    }

    /// Adds an image's blobs; the descriptor of its manifest.
    package mutating func addImage(
        _ layers: [[UInt8]],
        compress: Bool = false,
        platform: Platform? = nil,
        annotations: [String: String]? = nil
    ) throws -> Descriptor {
        let config = try ArchiveFixture.config(layers, architecture: platform?.architecture)
        let manifest = Manifest(
            config: addBlob(config, mediaType: MediaType.config),
            layers: layers.map {
                compress
                    ? addBlob(ArchiveFixture.gzip($0), mediaType: MediaType.layer + "+gzip")
                    : addBlob($0, mediaType: MediaType.layer)
            }
        )
        var descriptor = addBlob(try JSONDocument.encode(manifest), mediaType: MediaType.manifest)
        descriptor.platform = platform
        descriptor.annotations = annotations
        return descriptor
    }

    package mutating func addIndex(_ manifests: [Descriptor]) throws {
        add("oci-layout", #"{"imageLayoutVersion": "1.0.0"}"#)
        add("index.json", try JSONDocument.encode(Index(manifests: manifests)))
    }

    package func tar() throws -> [UInt8] { try ArchiveFixture.tar(files) }

    /// Regular files only.
    package func write(to directory: TemporaryDirectory) throws {
        for (entry, content) in files where entry.kind == .file {
            try directory.write(String(decoding: entry.path, as: UTF8.self), content)
        }
    }

    package static func config(_ layers: [[UInt8]], architecture: String? = nil) throws -> [UInt8] {
        var config = ImageConfig(rootfs: .init(diffIDs: layers.map { SHA256.digest(of: $0) }))
        config.architecture = architecture ?? Platform.host.architecture
        config.os = "linux"
        config.created = "2026-01-02T03:04:05.678Z"
        var process = ImageConfig.Process()
        process.command = ["sh"]
        process.labels = ["of": "a test"]
        config.config = process
        config.history = layers.map { _ in .init(created: config.created, createdBy: "a test") }
        return try JSONDocument.encode(config)
    }

    package static func tar(_ files: [(entry: TarEntry, content: [UInt8])]) throws -> [UInt8] {
        final class Sink { var bytes: [UInt8] = [] }
        let sink = Sink()
        var writer = TarWriter { sink.bytes.append(contentsOf: $0) }
        for (entry, content) in files {
            if entry.kind == .file { try writer.add(entry, content: content) } else { try writer.add(entry) }
        }
        try writer.finish()
        return sink.bytes
    }

    /// A layer with one directory and these files in it.
    package static func layer(_ files: [String: String]) throws -> [UInt8] {
        let directory = TarEntry(path: Array("d/".utf8), kind: .directory, mode: 0o755)
        return try tar(
            [(directory, [])]
                + files.sorted { $0.key < $1.key }.map { name, content in
                    (TarEntry(path: Array("d/\(name)".utf8), kind: .file), Array(content.utf8))
                }
        )
    }

    package static func gzip(_ bytes: [UInt8]) -> [UInt8] {
        var stream = z_stream()
        guard ccodecs_deflate_init(&stream, 6, 31) == Z_OK else { return [] }
        defer { deflateEnd(&stream) }
        var input = bytes
        var output = [UInt8](repeating: 0, count: bytes.count + bytes.count / 100 + 1024)
        let count = input.withUnsafeMutableBufferPointer { input in
            output.withUnsafeMutableBufferPointer { output -> Int in
                stream.next_in = input.baseAddress
                stream.avail_in = UInt32(input.count)
                stream.next_out = output.baseAddress
                stream.avail_out = UInt32(output.count)
                deflate(&stream, Z_FINISH)
                return Int(stream.total_out)
            }
        }
        return Array(output[..<count])
    }
}
