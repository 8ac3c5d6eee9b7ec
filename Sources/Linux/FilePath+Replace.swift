package import SystemPackage

import Glibc

extension FilePath {
    /// Replaces the contents of the file at this path with `bytes`: a process that opens it finds the old ones or
    /// the new ones, never a part. `durably`: contents and name are on disk when this returns, and a crash of the
    /// machine leaves the old contents or the new ones.
    package func replace(with bytes: [UInt8], mode: UInt32, durably: Bool) throws(Errno) {
        var draft = self
        draft.removeLastComponent()
        guard let name = lastComponent else { throw .invalidArgument }
        draft.append("\(name.string).new")
        do throws(Errno) {
            let file = try OwnedFD.open(draft, O_WRONLY | O_CREAT | O_TRUNC, mode: mode)
            // Sets the mode whatever the umask.
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
