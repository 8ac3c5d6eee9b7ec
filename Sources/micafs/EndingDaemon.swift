import Glibc
import Linux
import SystemPackage

/// A micafs that is ending, but still has a work directory locked, because umount(2) does not wait for it. An
/// overlay of the kernel can be mounted again at once, so micafs waits here.
final class EndingDaemon {
    private let work: FilePath
    /// In microseconds. A busy machine may take that long.
    private var left = 10_000_000
    private var pause: UInt32 = 1000

    init(of work: FilePath) { self.work = work }

    /// Sleeps a little. False where waiting is no use: the owner of the lock serves a mount, or does not end.
    func wait() -> Bool {
        // Does not give up at once: the number of a mount that is gone may be reused already.
        if isServed() { left = min(left, 2_000_000) }
        guard left > 0 else { return false }
        usleep(pause)
        left -= Int(pause)
        pause = min(pause * 2, 50_000)
        return true
    }

    /// Whether a micafs has the directory open, and a mount. The fdinfo of its /dev/fuse names the mount (Linux
    /// 6.8); on older kernels every holder seems to be ending.
    private func isServed() -> Bool {
        guard let resolved = work.withPlatformString({ realpath($0, nil) }) else { return false }
        defer { free(resolved) }
        let path = [UInt8](FilePath(platformString: resolved).string.utf8)
        for process in Processes.all {
            let directory = "/proc/\(process)"
            guard contents("\(directory)/comm").elementsEqual("micafs\n".utf8) else { continue }
            let descriptors = ((try? FilePath("\(directory)/fd").names()) ?? [])
                .map { String(decoding: $0, as: UTF8.self) }
            let targets = descriptors.map { FilePath("\(directory)/fd/\($0)").target ?? [] }
            guard targets.contains(path) else { continue }
            let table = contents("\(directory)/mountinfo").split(separator: UInt8(ascii: "\n"))
            for (descriptor, target) in zip(descriptors, targets) where target.elementsEqual("/dev/fuse".utf8)
            {
                guard let device = connection("\(directory)/fdinfo/\(descriptor)") else { continue }
                let isMounted = table.contains {
                    $0.split(separator: UInt8(ascii: " ")).dropFirst(2).first?.elementsEqual(device) == true
                }
                if isMounted { return true }
            }
        }
        return false
    }

    /// The device number of the filesystem, as in mountinfo.
    private func connection(_ fdinfo: String) -> [UInt8]? {
        let key = Array("fuse_connection:".utf8)
        for line in contents(fdinfo).split(separator: UInt8(ascii: "\n")) where line.starts(with: key) {
            let digits = line.dropFirst(key.count).filter { (48...57).contains($0) }
            guard let number = UInt32(String(decoding: digits, as: UTF8.self)) else { return nil }
            // dev_t inside the kernel: 20 bits of minor.
            return Array("\(number >> 20):\(number & 0xfffff)".utf8)
        }
        return nil
    }

    private func contents(_ path: String) -> [UInt8] {
        (try? OwnedFD.open(FilePath(path), O_RDONLY).contents(limit: 16 << 20)) ?? []
    }
}
