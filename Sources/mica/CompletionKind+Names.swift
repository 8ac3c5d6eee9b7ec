import ArgumentParser
import Layers
import Linux
import OCI
import Snapshots
import SystemPackage

/// The names in the usual store, for completion in shells.
extension CompletionKind {
    static var images: CompletionKind { names { try $0.images().flatMap(\.names) } }

    static var containers: CompletionKind { names { try $0.containers().map(\.name) } }

    /// Active snapshots and views; committed ones are images' layers.
    static var snapshots: CompletionKind {
        names { try $0.snapshots().filter { $0.kind != .committed }.map(\.key) }
    }

    static var mounts: CompletionKind { names { try $0.mounts().filter(\.isLive).map(\.target.string) } }

    static var subjects: CompletionKind {
        names { store in
            try store.containers().map(\.name)
                + store.snapshots().filter { $0.kind != .committed }.map(\.key)
        }
    }

    private static func names(_ list: @escaping @Sendable (Store) throws -> [String]) -> CompletionKind {
        .custom { _, _, _ in
            // Completion must neither create a store nor print an error.
            guard let layout = try? GlobalOptions.layout(root: nil), layout.database.exists,
                let store = try? Store.open(layout)
            else { return [] }
            let names = (try? list(store)) ?? []
            // In zsh a colon begins the description.
            guard CompletionShell.requesting == .zsh else { return names }
            return names.map {
                $0.split(separator: ":", omittingEmptySubsequences: false).joined(separator: "\\:")
            }
        }
    }
}
