package import Layers

import Linux
import Synchronization

/// Layers that are written as a tar by code of mica's own.
package enum LayerTar {
    /// Runs `write`, which passes the tar of a layer to what it gets, on this thread, while another one imports it. The
    /// caller holds the store's lock. `name`: what it is the layer of, for messages. `standsAlone`: as for `LayerImport`.
    package static func stage(
        in layout: StoreLayout,
        named name: String,
        standsAlone: Bool = true,
        _ write: (@escaping (UnsafeRawBufferPointer) throws -> Void) throws -> Void
    ) throws -> StagedLayer {
        let channel = ByteChannel()
        let staged = Mutex<Result<StagedLayer, any Error>?>(nil)
        let importer = try naming("start a thread") {
            try WorkerThread {
                let result = Result {
                    try LayerImport(layout: layout).stage(
                        ChannelSource(channel: channel),
                        named: name,
                        standsAlone: standsAlone
                    )
                }
                channel.abandon()
                staged.withLock { $0 = result }
            }
        }
        channel.finish(Result { try write { try channel.write($0) } })
        importer.join()
        let result = staged.withLock { $0 }
        // What went wrong while the tar was written says more than what the importer made of it.
        if case .failure(let error)? = channel.outcome {
            if case .success(let layer)? = result { layer.discard() }
            throw error
        }
        guard let result else { throw Failure("\(name): the thread that imports it has ended") }
        return try result.get()
    }
}
