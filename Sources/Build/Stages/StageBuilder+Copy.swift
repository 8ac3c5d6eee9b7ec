import Changes
import Digests
import Dockerfile
import Layers
import Linux
import OCI
import Snapshots

/// What `COPY` and `ADD` ask for.
struct CopyStep {
    let files: Instruction.Files
    var from: String?
    var keepsParents = false
    /// Archives are unpacked. nil: those of the context are, and those of a URL are not.
    var unpacks: Bool? = false
    var isAdd = false
    var checksum: Word?

    init(_ copy: Instruction.Copy) {
        files = copy.files
        from = copy.from
        keepsParents = copy.keepsParents
    }

    init(_ add: Instruction.Add) {
        files = add.files
        unpacks = add.unpacks
        isAdd = true
        checksum = add.checksum
    }
}

extension StageBuilder {
    func execute(_ step: CopyStep, _ text: String) throws {
        let sources = try step.files.sources.map { try $0.expand(with: variables) }
        let documents = try step.files.documents.map { document in
            (document.name, Array(try document.expand(with: variables).utf8))
        }
        let destination = try step.files.destination.expand(with: variables)
        let path = absolute(destination)
        if sources.count + documents.count > 1, !path.hasSuffix("/"), path != "/" {
            throw DockerfileError(
                "When using \(step.isAdd ? "ADD" : "COPY") with more than one source file, the destination must be a"
                    + " directory and end with a /"
            )
        }
        let remotes = try remotes(among: sources, step)
        let owner = try step.files.chown.map { try $0.expand(with: variables) }
        let mode = try step.files.chmod.map { try CopyMode(try $0.expand(with: variables)) }
        let chmod = try step.files.chmod.map { try $0.expand(with: variables) } ?? ""
        let excludes = step.files.excludes.isEmpty ? nil : try PathPatterns(step.files.excludes)

        // Another stage may have to be built for it.
        let origin = try step.from.map { try layers(from: $0) }
        let number = build.begin(title(text))
        let arrived = try remotes.mapValues { (remote: $0, layer: try self.layer(of: $0, text)) }
        let lock = try build.store.lockForChange()
        let tree = try origin.map { try LayerFileTree($0, build.store.layout) } ?? build.context
        let fetched = try arrived.mapValues { try source($0.remote, in: $0.layer) }
        let whose = try owner.map { owner in
            try Copier.Owner(
                owner,
                in: LayerFileTree(draft.layers, build.store.layout),
                build.store.layout
            )
        }
        func copy(_ writer: FileWriter, into base: any FileTree, owner: Copier.Owner?) throws -> [String] {
            let copier = Copier(
                writer: writer,
                destination: Destination(base),
                owner: owner,
                mode: mode,
                excludes: excludes,
                time: build.created
            )
            var kinds: [String] = []
            for source in sources {
                if let file = fetched[source] {
                    kinds.append("file")
                    if step.unpacks == true, try copier.unpack(file, to: path) { continue }
                    try copier.copy(file, to: path)
                    continue
                }
                let found = try CopySource.find(source, in: tree, keepingParents: step.keepsParents)
                for source in found {
                    kinds.append(source.file.isDirectory ? "directory" : "file")
                    if step.unpacks ?? true, try copier.unpack(source, to: path) { continue }
                    try copier.copy(source, to: path)
                }
            }
            for (name, bytes) in documents {
                let file = DocumentFile(bytes: bytes, time: build.created)
                kinds.append("file")
                try copier.copy(
                    CopySource(name: name, base: Array(name.utf8), file: file),
                    to: path
                )
            }
            return kinds
        }
        func key(_ content: Digest, _ kinds: [String]) -> Digest {
            var key = StepKey("COPY", over: step.files.isLinked ? nil : draft.layers)
            key.add("to", [path])
            key.add("what", kinds)
            key.add("content", ["\(content)"])
            // What a name means is in the layers, on which a linked copy does not depend.
            let isName = !step.files.isLinked
            key.add("chown", [isName ? owner ?? "" : whose.map { "\($0.uid):\($0.gid)" } ?? ""])
            key.add("chmod", [chmod])
            key.add("options", ["\(step.unpacks ?? true)", "\(step.keepsParents)"])
            key.add("epoch", [build.epoch.map { "\($0)" } ?? ""])
            if !fetched.isEmpty { key.add("fetched", ["\(step.unpacks ?? false)"]) }
            return key.finish()
        }

        if !build.request.ignoresSteps {
            let writer = FileWriter(notAfter: nil, to: nil)
            // Where it goes, and whose it is, is in the key as it was written.
            let kinds = try copy(writer, into: EmptyTree(), owner: nil)
            if let step = try build.finished(key(writer.finish(), kinds), over: draft.layers, text) {
                note(text, step)
                return build.report(.cached(step: number))
            }
        }
        let base: any FileTree =
            step.files.isLinked ? EmptyTree() : try LayerFileTree(draft.layers, build.store.layout)
        var found: Digest?
        let layer = try stage(text) { sink in
            let writer = FileWriter(notAfter: build.epoch, to: sink)
            let kinds = try copy(writer, into: base, owner: whose)
            // Of what was copied, which may not be what was there before.
            found = key(try writer.finish(), kinds)
        }
        guard let found else { throw Failure("nothing was copied") }
        try build.store.record(step: found, text, of: layer, over: draft.layers, created: build.moment)
        build.note(DoneStep(key: found, layer: layer.diffID, text: text, created: build.moment))
        _ = consume lock
        note(text, layer: layer.diffID)
        build.report(.done(step: number))
    }

    /// Makes a layer of a tar that `write` gives. The caller holds the store's lock.
    func stage(
        _ text: String,
        _ write: (@escaping (UnsafeRawBufferPointer) throws -> Void) throws -> Void
    ) throws -> NewLayer {
        let staged = try LayerTar.stage(
            in: build.store.layout,
            named: text,
            standsAlone: draft.layers.isEmpty,
            write
        )
        do { try staged.publish() } catch {
            staged.discard()
            throw error
        }
        return NewLayer(diffID: staged.diffID, tarSize: staged.tarSize, contentSize: staged.contentSize)
    }

    /// `WORKDIR`: a directory that is there needs no layer.
    func makeDirectory(_ names: [[UInt8]], _ text: String) throws {
        let number = build.begin(title(text))
        let user = draft.process.user ?? ""
        var key = StepKey("WORKDIR", over: draft.layers)
        key.add("to", [TreePath.text(names)])
        key.add("user", [user])
        key.add("epoch", [build.epoch.map { "\($0)" } ?? ""])
        let digest = key.finish()
        if !build.request.ignoresSteps, let step = try build.finished(digest, over: draft.layers, text) {
            note(text, step)
            return build.report(.cached(step: number))
        }
        let lock = try build.store.lockForChange()
        let tree = try LayerFileTree(draft.layers, build.store.layout)
        let place = try TreePath.resolve(names, in: tree)
        if let file = place.file {
            guard file.isDirectory else { throw Failure("\(TreePath.text(names)) is not a directory") }
            note(text)
            return build.report(.cached(step: number))
        }
        let owner = try user.isEmpty ? nil : Copier.Owner(user, in: tree, build.store.layout)
        let layer = try stage(text) { sink in
            let writer = FileWriter(notAfter: build.epoch, to: sink)
            let copier = Copier(
                writer: writer,
                destination: Destination(tree),
                owner: owner,
                mode: nil,
                excludes: nil,
                time: build.created
            )
            try copier.makeDirectories(place.names)
            _ = try writer.finish()
        }
        try build.store.record(step: digest, text, of: layer, over: draft.layers, created: build.moment)
        build.note(DoneStep(key: digest, layer: layer.diffID, text: text, created: build.moment))
        _ = consume lock
        note(text, layer: layer.diffID)
        build.report(.done(step: number))
    }
}
