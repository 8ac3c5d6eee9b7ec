import ArgumentParser
import Layers

/// How large a layer may be that comes into the store.
struct LayerLimitOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "How much one layer may have: entries=N,names=SIZE,xattrs=SIZE (default: $MICA_LAYER_LIMITS, or"
                + " entries=2000000,names=128m,xattrs=32m).",
            valueName: "limits"
        )
    )
    var layerLimits: String?

    func limits() throws -> ImportLimits {
        let limits = try ImportLimits.ofEnvironment()
        return try layerLimits.map { try limits.changed(by: $0, from: "--layer-limits") } ?? limits
    }
}
