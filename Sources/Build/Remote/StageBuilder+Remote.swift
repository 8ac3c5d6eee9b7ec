import Digests
import Dockerfile
import Layers
import Linux
import OCI
import Registry
import Snapshots
import SystemPackage
import Tar

import Glibc

extension StageBuilder {
    /// The sources of `ADD` that are URLs, by these.
    func remotes(among sources: [String], _ step: CopyStep) throws -> [String: RemoteSource] {
        let text = try step.checksum.map { try $0.expand(with: variables) }
        let checksum = try text.map { text throws in
            guard let digest = Digest(text) else {
                throw DockerfileError("invalid checksum \"\(text)\": mica verifies sha256:HEX")
            }
            return digest
        }
        var found: [String: RemoteSource] = [:]
        for source in sources {
            guard let remote = try RemoteSource(source, checksum: checksum) else { continue }
            guard step.isAdd else { throw DockerfileError("source can't be a URL for COPY") }
            found[source] = remote
        }
        guard checksum == nil || !found.isEmpty else {
            throw DockerfileError("checksum requires HTTP(S) or Git sources")
        }
        guard checksum == nil || sources.count == 1 else {
            throw DockerfileError("checksum can't be specified for multiple sources")
        }
        return found
    }

    /// The file of a URL, in the layer that `layer(of:_:)` gave. The caller holds the store's lock.
    func source(_ remote: RemoteSource, in layer: Digest) throws -> CopySource {
        guard let file = try LayerFileTree([layer], build.store.layout).root().child(remote.name) else {
            throw Failure("what was fetched of \(remote.shown) is not in the store")
        }
        return CopySource(name: remote.shown, base: remote.name, file: file)
    }

    /// Fetches the file that a URL names into a layer of its own, which is kept as a step is: for as long as the server says
    /// that it has the same one, and one whose checksum is given for ever. The caller does not hold the store's lock.
    func layer(of remote: RemoteSource, _ text: String) throws -> Digest {
        func key(_ name: String, _ value: String, _ modified: Int64? = nil) -> Digest {
            var key = StepKey("URL", over: nil)
            key.add("url", [remote.url])
            key.add(name, [value, modified.map { "\($0)" } ?? ""])
            return key.finish()
        }
        func known(_ key: Digest) throws -> Digest? {
            build.request.ignoresSteps ? nil : try build.store.step(key, over: [])?.layer
        }
        // What it has to be is known: no server need be asked.
        if let checksum = remote.checksum, let layer = try known(key("checksum", "\(checksum)")) {
            return layer
        }
        var same: Digest?
        let fetched = try RemoteFile.fetch(remote.url, in: build.store, until: build.cancellation) { head in
            guard remote.checksum == nil, let tag = head.entityTag else { return false }
            same = try known(key("tag", tag, head.modified))
            return same != nil
        }
        guard let fetched else {
            guard let same else { throw Failure("\(remote.shown) was not fetched") }
            return same
        }
        let file = try SpooledFile(fetched)
        let content = try file.digest()
        if let checksum = remote.checksum, checksum != content {
            throw Failure("\(remote.shown) has the digest \(content), and should have \(checksum)")
        }
        let description = fetched.description
        let found: Digest =
            if let checksum = remote.checksum {
                key("checksum", "\(checksum)")
            } else if let tag =
                description.entityTag
            { key("tag", tag, description.modified) } else {
                key("content", "\(content)", description.modified)
            }
        let lock = try build.store.lockForChange()
        defer { withExtendedLifetime(lock) {} }
        let layer = try stage(text) { sink in
            let writer = FileWriter(notAfter: nil, to: sink)
            try writer.add(file, remote.name, to: remote.name, file.attributes)
            _ = try writer.finish()
        }
        try build.store.record(step: found, "fetched: \(text)", of: layer, over: [], created: build.moment)
        return layer.diffID
    }
}

/// What was fetched, as BuildKit gives it to images.
private struct SpooledFile: TreeFile {
    let fetched: RemoteFile
    let attributes: TreeAttributes

    init(_ fetched: RemoteFile) throws {
        self.fetched = fetched
        let size = try naming("read what was fetched") { try fetched.file.fd.status().st_size }
        attributes = TreeAttributes(
            kind: .file,
            mode: 0o600,
            uid: 0,
            gid: 0,
            size: UInt64(clamping: size),
            modified: .init(seconds: fetched.description.modified ?? 0)
        )
    }

    var identity: TreeIdentity? { nil }
    func target() throws -> [UInt8] { [] }
    func xattrs() throws -> [TarEntry.Xattr] { [] }
    func names() throws -> [[UInt8]] { [] }
    func child(_ name: [UInt8]) throws -> (any TreeFile)? { nil }
    func content() throws -> any ByteSource { try fetched.source() }

    func digest() throws -> Digest {
        var source = try content()
        var hash = SHA256()
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
        defer { buffer.deallocate() }
        while case let count = try source.read(into: buffer), count > 0 {
            hash.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
        return hash.finish()
    }
}
