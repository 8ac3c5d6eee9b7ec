package import Dockerfile
package import OCI
package import Snapshots

package import Layers
import Linux
import SystemPackage

import Glibc

/// Makes an image of one layer out of a root filesystem's tar.
package struct ImageImport: Sendable {
    private let store: Store
    private let limits: ImportLimits?

    /// `limits`: of each layer; nil: those of the environment.
    package init(store: Store, limits: ImportLimits? = nil) { (self.store, self.limits) = (store, limits) }

    /// The tar may be compressed. `message`: the comment in the image's history. `created`: seconds since 1970.
    package func load(
        _ input: ImageInput,
        as name: ImageReference?,
        changes: [ConfigChange] = [],
        message: String? = nil,
        created: Int64,
        report: @escaping @Sendable (UInt64) -> Void = { _ in }
    ) throws -> ImageRecord {
        var process = ImageConfig.Process()
        try ConfigChange.apply(changes, to: &process)

        let source = try input.source()
        let layer = try LayerImport(layout: store.layout, limits: limits).stage(
            WatchedSource(source, onRead: report),
            named: input.name,
            expecting: Expectation(),
            progress: nil
        )
        let lock = try store.lockForChange()
        defer { withExtendedLifetime(lock) {} }
        do { try layer.publish() } catch {
            layer.discard()
            throw error
        }

        let time = Timestamp.text(created)
        var config = ImageConfig(rootfs: .init(diffIDs: [layer.diffID]))
        config.architecture = Platform.host.architecture
        config.os = Platform.host.os
        config.variant = Platform.host.variant
        config.created = time
        config.config = process
        config.history = [
            .init(created: time, createdBy: "mica import", comment: message ?? "Imported from \(input.name)")
        ]
        let image = try store.add(
            image: NewImage(
                config: try JSONDocument.encode(config),
                layers: [
                    NewLayer(diffID: layer.diffID, tarSize: layer.tarSize, contentSize: layer.contentSize)
                ],
                tags: name.map { [$0.familiar] } ?? []
            )
        )
        store.tell("import", of: image.id, named: name?.familiar)
        return image
    }
}

extension ImageInput {
    /// The bytes as they come.
    func source() throws -> FileSource {
        switch self {
        case .standardInput:
            try naming("read standard input") {
                FileSource(OwnedFD(adopting: try Errno.check(fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3))))
            }
        case .path(let path):
            try naming("open \(path)") {
                let fd = try OwnedFD.open(path, O_RDONLY)
                guard try fd.status().st_mode & S_IFMT != S_IFDIR else {
                    throw Failure("\(path) is a directory", advice: "tar -C \(path) -c . | mica import -")
                }
                return FileSource(fd)
            }
        }
    }
}
