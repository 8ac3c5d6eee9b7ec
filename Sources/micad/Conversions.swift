import Containerd
import ContainerdAPI
import Snapshots
import SwiftProtobuf

extension Containerd_Types_Mount {
    init(_ mount: ServedMount) {
        self.init()
        type = mount.type
        source = mount.source
        options = mount.options
    }
}

extension Containerd_Services_Snapshots_V1_Info {
    init(_ info: SnapshotInfo) {
        self.init()
        name = info.name
        parent = info.parent
        kind =
            switch info.kind {
            case .view: .view
            case .active: .active
            case .committed: .committed
            }
        createdAt = Google_Protobuf_Timestamp(nanoseconds: info.created)
        updatedAt = Google_Protobuf_Timestamp(nanoseconds: info.updated)
        labels = info.labels
    }
}

extension Google_Protobuf_Timestamp {
    /// Unix nanoseconds.
    fileprivate init(nanoseconds: Int64) {
        // Rounded down, so that the rest is not negative before 1970 either.
        let rest = (nanoseconds % 1_000_000_000 + 1_000_000_000) % 1_000_000_000
        self.init(seconds: (nanoseconds - rest) / 1_000_000_000, nanos: Int32(truncatingIfNeeded: rest))
    }
}
