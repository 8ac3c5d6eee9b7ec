package import SystemPackage

import Glibc

extension FilePath {
    /// Puts `bytes` in place of what the file at this path holds: whoever opens it finds the old ones or the new ones,
    /// never a part. `durably`: on disk, name and all, when this returns, and after a stop of the machine still the
    /// one or the other.
    package func replace(with bytes: [UInt8], mode: UInt32, durably: Bool) throws(Errno) {
        var draft = self
        draft.removeLastComponent()
        guard let name = lastComponent else { throw .invalidArgument }
        draft.append("\(name.string).new")
        do throws(Errno) {
            let file = try OwnedFD.open(draft, O_WRONLY | O_CREAT | O_TRUNC, mode: mode)
            // Whatever the umask.
            try file.use { raw throws(Errno) in _ = try Errno.check(fchmod(raw, mode)) }
            try file.writeAll(bytes)
            if durably { try file.synchronize() }
            try draft.rename(to: self)
        } catch {
            try? draft.unlink()
            throw error
        }
        guard durably else { return }
        let parent = removingLastComponent()
        try (parent.isEmpty ? FilePath(".") : parent).synchronize()
    }
}
