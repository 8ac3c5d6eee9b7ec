import Changes
import Layers
import SystemPackage

extension Store {
    /// Notes what was made in an active snapshot only to be mounted on: absolute paths in it, parents first.
    package func note(mountPoints paths: [[UInt8]], in snapshot: Int64) throws {
        try MadePaths.note(paths, in: layout.snapshot(snapshot).appending("upper"))
    }
}
