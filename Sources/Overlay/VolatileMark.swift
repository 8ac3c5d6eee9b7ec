import Glibc
import Linux
import SystemPackage

/// `work/work/incompat/volatile`: the upper is mounted volatile, or was and may have lost data. The kernel's
/// overlayfs makes the same directories and refuses the upper as long as they exist
/// (Documentation/filesystems/overlayfs.rst, "Volatile mount").
struct VolatileMark {
    private let base: FilePath
    private var path: FilePath { base.appending("incompat").appending("volatile") }

    init(work: FilePath) { base = work.appending("work") }

    /// Throws where a volatile mount of `upper` did not end cleanly.
    func refuse(_ upper: FilePath) throws {
        guard path.exists else { return }
        throw Failure(
            "\(upper) was mounted volatile and not unmounted cleanly: what is in it may be incomplete",
            advice:
                "Start with a new upper; or, if the machine did not crash since, remove \(path) and mount again."
        )
    }

    func set() throws { try path.appending("dirty").makeDirectories() }

    func remove() { try? base.removeTree() }
}
