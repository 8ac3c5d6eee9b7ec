import CFUSE
import Glibc
import Linux
import SystemPackage

extension Session {
    /// st_dev of the mount as /proc/self/mountinfo has it; nil before there is one.
    package var deviceName: String? { place.flatMap { $0.number < 0 ? nil : "0:\($0.number)" } }

    /// Ends the mount for everybody who has it, in whatever mount namespace it shows: they get ENOTCONN from now on, and
    /// `run` returns. What the kernel holds of written data is in the upper then. Unmounts nothing: that is its owner's
    /// business. One that has ended is fine.
    ///
    /// `files`: those that the kernel may hold something of. On a thread that serves nothing. Where the kernel does not let this process end the connection, it does so by
    /// ending itself, after `close`.
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

    /// Pages written to by mmap(2), or with `writesBack`. Kept by a namespace that shows the mount: the kernel writes them
    /// when the last of these is gone.
    private func writeBack(_ files: [UInt64]) {
        // Many pages at a time. Some kernels only start it: they wait for no data of FUSE (measured on 6.18).
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
            // One that the kernel has just forgotten had nothing.
            if result != 0, result != -ENOENT { failures += 1 }
        }
        if failures > 0 { log("\(failures) files could not be written back before the end of the mount") }
    }
}
