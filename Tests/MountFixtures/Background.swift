import Linux
import SystemPackage

import Glibc

/// A program that goes to the background by itself.
enum Background {
    /// Returns when it is there; throws what it wrote to the file `errors` where its exit status is not 0.
    ///
    /// It gets no other descriptors: what stays in the background would keep the pipes of whatever the test
    /// runs at the same time.
    static func start(_ command: [String], errors path: String) throws {
        let errors = try naming("create \(path)") {
            try OwnedFD.open(FilePath(path), O_RDWR | O_CREAT | O_TRUNC, mode: 0o600)
        }
        guard try Tool.wait(for: command, descriptors: [-1, errors.raw, errors.raw]) != 0 else { return }
        let text = try OwnedFD.open(FilePath(path), O_RDONLY).contents(limit: 1 << 20)
        throw Failure(
            "\(command.joined(separator: " ")): \(String(decoding: text, as: UTF8.self))"
        )
    }
}
