package import Digests
package import Runner

/// A command that a build runs on a stack of layers.
package struct StepRequest: Sendable {
    /// diffIDs, bottom to top, of a stack whose committed snapshot the store has.
    package var layers: [Digest]
    package var process: ProcessSpec
    package var network = ContainerSpec.Network.none
    package var volumes: [Volume] = []
    package var temporary: [TemporaryFilesystem] = []
    package var trees: [Tree] = []
    package var files: [File] = []

    package init(layers: [Digest], process: ProcessSpec) {
        self.layers = layers
        self.process = process
    }

    /// A file or a directory of a stack of layers. What is written to it is dropped.
    package struct Tree: Sendable {
        package var layers: [Digest]
        /// In the stack; links don't lead out of it.
        package var source: String
        package var destination: String
        package var readOnly: Bool

        package init(layers: [Digest], source: String, destination: String, readOnly: Bool) {
            self.layers = layers
            self.source = source
            self.destination = destination
            self.readOnly = readOnly
        }
    }

    /// A file that only the command sees, read-only. Its directory is mounted where `name` is not nil.
    package struct File: Sendable {
        package var bytes: [UInt8]
        package var destination: String
        package var name: String?
        package var mode: UInt32
        package var uid: UInt32
        package var gid: UInt32

        package init(
            _ bytes: [UInt8],
            destination: String,
            name: String? = nil,
            mode: UInt32,
            uid: UInt32 = 0,
            gid: UInt32 = 0
        ) {
            self.bytes = bytes
            self.destination = destination
            self.name = name
            self.mode = mode
            self.uid = uid
            self.gid = gid
        }
    }
}
