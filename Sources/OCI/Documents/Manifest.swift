/// One image for one platform: its config and its layers, bottom to top.
package struct Manifest: Codable, Sendable {
    package var schemaVersion = 2
    package var mediaType: String?
    package var config: Descriptor
    package var layers: [Descriptor]
    package var annotations: [String: String]?

    enum CodingKeys: String, CodingKey { case schemaVersion, mediaType, config, layers, annotations }

    package init(from decoder: any Decoder) throws {
        let members = try FoldedMembers(decoder, by: CodingKeys.self)
        schemaVersion = try members.value(.schemaVersion) ?? 2
        mediaType = try members.value(.mediaType)
        config = try members.required(.config)
        layers = try members.value(.layers) ?? []
        annotations = try members.value(.annotations)
    }

    package init(config: Descriptor, layers: [Descriptor]) {
        self.mediaType = MediaType.manifest
        self.config = config
        self.layers = layers
    }
}
