package import Digests
package import Events

import Linux
import OCI
import Layers

extension Store {
    /// Tells those who follow the store's events what happened. Call it once that can be seen in the store.
    package func tell(
        _ kind: StoreEvent.Kind,
        _ action: String,
        of id: String,
        _ attributes: [String: String]
    ) {
        EventLog(layout.events).record(
            StoreEvent(kind, action, id: id, attributes: attributes, time: now())
        )
    }

    /// The same of an image. `name`: the one that it is about, in any form; nil: none.
    package func tell(_ action: String, of image: Digest, named name: String?) {
        let familiar = name.map { (try? ImageReference($0).familiar) ?? $0 }
        tell(.image, action, of: "\(image)", familiar.map { ["name": $0] } ?? [:])
    }
}
