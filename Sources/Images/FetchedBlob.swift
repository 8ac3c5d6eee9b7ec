import Digests
import Layers
import Linux
import OCI
import Registry
import Snapshots
import SystemPackage

/// Brings a blob again that a pull had kept, because its file has gone or was damaged: no compressor gives its bytes.
struct FetchedBlob {
    let store: Store
    let blob: Descriptor

    /// `repository`: DOMAIN/PATH, which had it once. Returns its file among the kept ones, whole. Failure where it is not to
    /// be had.
    func bring(from repository: String, to kept: KeptBlobs) throws -> FilePath {
        let reference = try ImageReference("\(repository)@\(blob.digest)")
        let opening = RegistryMessage.Opening(reference)
        let client = try RegistryClient(opening)
        defer { client.close() }
        let (path, hold) = try store.layout.heldArrival()
        defer {
            try? path.unlink()
            withExtendedLifetime(hold) {}
        }
        let download = try client.download(blob.digest, size: blob.size, into: path)
        var done: UInt64 = 0
        while done < blob.size { done = try download.arrived(beyond: done) }
        let place = kept.path(of: blob.digest)
        try naming("name the blob \(place)") { try path.rename(to: place) }
        guard try kept.isWhole(blob.digest) else { throw Failure("\(repository) sends another blob for it") }
        return place
    }
}
