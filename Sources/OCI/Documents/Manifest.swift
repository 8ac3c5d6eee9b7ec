/// One image for one platform: its config and its layers, bottom to top.
package struct Manifest: Codable, Sendable {
    package var schemaVersion = 2
    package var mediaType: String?
    package var config: Descriptor
    package var layers: [Descriptor]
    package var annotations: [String: String]?

    package init(config: Descriptor, layers: [Descriptor]) {
        self.mediaType = MediaType.manifest
        self.config = config
        self.layers = layers
    }
}
