import Linux
import SystemPackage

import CLinux
import Glibc

/// mica-enter, the program that enters containers (docs/adr/0019-mica-enter.md).
enum EnterProgram {
    static let name = "mica-enter"

    /// An immutable copy of the program, because a container can reach what is executed in it.
    static func sealed() throws -> OwnedFD {
        let path = try path()
        let file = try naming("open \(path)") { try OwnedFD.open(path, O_RDONLY) }
        let raw = file.use { clinux_sealed_copy($0, name) }
        guard raw >= 0 else { throw Failure("copy \(path)", Errno(rawValue: -raw)) }
        return OwnedFD(adopting: raw)
    }

    /// $MICA_ENTER, or the file beside this program, or in ../libexec/mica. Not from PATH, because it runs with all
    /// rights.
    private static func path() throws -> FilePath {
        if let path = getenv("MICA_ENTER"), path.pointee != 0 { return FilePath(platformString: path) }
        let directory = try HostProcess.program().removingLastComponent()
        let places = [directory.appending(name), directory.appending("../libexec/mica/\(name)")]
        if let found = places.first(where: { $0.withPlatformString { access($0, R_OK) } == 0 }) {
            return found
        }
        throw Failure(
            "\(name) is not installed: it is not in \(directory)",
            advice: "Install it beside mica, or set MICA_ENTER to its path.",
            exitCode: ExitStatus.failed.rawValue
        )
    }
}
