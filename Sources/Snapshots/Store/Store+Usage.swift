import Layers
import Linux
import OCI

extension Store {
    /// How many inodes a layer has.
    func inodes(inLayer diffID: Digest) throws -> UInt64 {
        UInt64(try ChainStore(layout: layout).layer(diffID).inodeCount)
    }
}
