import CFUSE
import Glibc
import Linux
import SystemPackage

extension Session {
    /// The st_dev of the mount, as in /proc/self/mountinfo; nil before there is one.
    package var deviceName: String? { place.flatMap { $0.number < 0 ? nil : "0:\($0.number)" } }

    /// Ends the mount in every mount namespace that shows it: from now on requests get ENOTCONN, and `run` returns.
    /// Data in the kernel's cache is written to the upper first. It unmounts nothing, which is left to the mount's
    /// owner. A mount that has ended is no error.
    ///
    /// Call it on a thread that serves nothing. `files`: those of which the kernel may hold data. Where the kernel
    /// does not let this process end the connection, it ends the process itself, after `close`.
    package func endForEverybody(writing files: () -> [UInt64], orElse close: () -> Void) {
        guard cfuse_is_connected(device) != 0 else { return }
        writeBack(files())
        guard let place else { return }
        let result = place.number < 0 ? CInt(place.number) : cfuse_abort(device, place.number)
        guard result != 0 else { return }
        log("end the connection: \(Errno(rawValue: -result)); this process ends instead")
        close()
        _exit(0)
    }

    /// Writes pages that were changed by mmap(2), or with `writesBack`. While a namespace shows the mount the kernel
    /// may hold them: it writes them when the last namespace is gone.
    private func writeBack(_ files: [UInt64]) {
        // Writes many pages at a time. Some kernels only start it: they do not wait for data of FUSE (measured on
        // 6.18).
        if let deviceName {
            do throws(Errno) {
                try MountHolder.writeBack(deviceName)
            } catch {
                log("write back what the kernel holds: \(error)")
            }
        }
        // This waits, and writes what is left (fuse_launder_folio in fs/fuse/file.c).
        guard let session = connection.pointee.session else { return }
        var failures = 0
        for file in files {
            let result = fuse_lowlevel_notify_inval_inode(session, file, 0, 0)
            // A file that the kernel has just forgotten had nothing to write.
            if result != 0, result != -ENOENT { failures += 1 }
        }
        if failures > 0 { log("\(failures) files could not be written back before the end of the mount") }
    }
}
