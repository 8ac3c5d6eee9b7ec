import Layers
import Linux
import SystemPackage

/// Where what is damaged, or has no owner, is kept out of the way: `lost/<what>/<name>`. Nothing in it is ever
/// touched again.
struct LostDirectory {
    private let layout: StoreLayout

    init(_ layout: StoreLayout) { self.layout = layout }

    /// Renames `path` to there, on disk when this returns unless it is not to be `durably`. Returns where it is now.
    @discardableResult
    func take(_ path: FilePath, as what: String, _ name: String, durably: Bool = true) throws -> FilePath {
        let directory = layout.lost.appending(what)
        return try naming("set \(path) apart in \(directory)") {
            try layout.lost.makeDirectory(mode: 0o700)
            try directory.makeDirectory(mode: 0o700)
            var target = directory.appending(name)
            var number = 0
            while target.exists {
                number += 1
                target = directory.appending("\(name).\(number)")
            }
            try path.renameWithoutReplacing(target)
            guard durably else { return target }
            try directory.synchronize()
            try path.removingLastComponent().synchronize()
            return target
        }
    }
}
