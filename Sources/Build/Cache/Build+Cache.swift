package import OCI
package import Snapshots

import Digests

/// A step that this build has done, or found done.
struct DoneStep {
    var key: Digest
    var layer: Digest
    var text: String
    /// Unix nanoseconds.
    var created: Int64
}

extension Build {
    /// What a step made earlier: in this store, or in a cache that the user has named. Noted for a cache of this build.
    func finished(_ key: Digest, over layers: [Digest], _ text: String) throws -> (
        layer: Digest, created: Int64
    )? {
        var found = try store.step(key, over: layers)
        for cache in caches where found == nil { found = try cache.step(key, over: layers, text, of: self) }
        if let found { note(DoneStep(key: key, layer: found.layer, text: text, created: found.created)) }
        return found
    }

    /// For other stores: the steps of this build that are in the image, or all of them, and the layers that they made.
    package func cache(ofAll: Bool, _ image: ImageRecord) throws -> (
        document: [UInt8], mediaType: String, layers: [Digest]
    ) {
        let inImage = Set(image.layers)
        var steps: [Digest: DoneStep] = [:]
        for step in doneSteps where ofAll || inImage.contains(step.layer) { steps[step.key] = step }
        let layers = Set(steps.values.map(\.layer)).sorted()
        let places = Dictionary(uniqueKeysWithValues: layers.enumerated().map { ($1, $0) })
        let document = CacheDocument(
            diffIDs: layers,
            steps: steps.values.sorted { $0.key < $1.key }.map { step in
                CacheDocument.Step(
                    key: step.key,
                    layer: places[step.layer] ?? 0,
                    created: step.created,
                    text: step.text
                )
            }
        )
        return (try JSONDocument.encode(document), CacheDocument.mediaType, layers)
    }
}
