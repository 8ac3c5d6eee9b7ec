package import Layers

import Linux

extension MergedTree {
    /// Writes what the upper changes as the tar of a layer, piece by piece. `volumes` are left out; `warn` hears of what
    /// no layer can hold. `latest`: as for `TarWriter`.
    package func writeLayer(
        without volumes: VolumePaths = VolumePaths(),
        notAfter latest: Int64? = nil,
        warn: @escaping (String) -> Void,
        to sink: @escaping (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        try UpperLayer(self, without: volumes, notAfter: latest, to: sink, warn: warn).write()
    }

    /// The same as a layer that is staged: one thread walks and writes the tar, this one imports it. The caller holds
    /// the store's lock. `name`: whose changes they are, for messages.
    package func stageLayer(
        in layout: StoreLayout,
        without volumes: VolumePaths = VolumePaths(),
        notAfter latest: Int64? = nil,
        named name: String,
        warn: @escaping @Sendable (String) -> Void
    ) throws -> StagedLayer {
        let channel = ByteChannel()
        let writer = try WorkerThread {
            channel.finish(
                Result {
                    try self.writeLayer(without: volumes, notAfter: latest, warn: warn) {
                        try channel.write($0)
                    }
                }
            )
        }
        let staged = Result {
            try LayerImport(layout: layout).stage(
                ChannelSource(channel: channel),
                named: "the changes of \(name)"
            )
        }
        channel.abandon()
        writer.join()
        // What went wrong while reading the upper says more than what the importer made of it.
        if case .failure(let error)? = channel.outcome {
            if case .success(let layer) = staged { layer.discard() }
            throw error
        }
        return try staged.get()
    }
}
