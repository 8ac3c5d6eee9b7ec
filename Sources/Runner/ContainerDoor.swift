import Linux
import SystemPackage

import CLinux
import Glibc

/// The namespaces and the root by which a running container is entered: those of its process 1, or of another thread
/// of that process if its first thread has ended, and with it all that it had.
struct ContainerDoor: ~Copyable {
    let root: OwnedFD
    /// nil: the process itself is used.
    private let thread: OpenFile?

    /// `leader`: a pidfd of process 1, whose number is `pid`.
    init(_ leader: borrowing OwnedFD, pid: Int32) throws {
        do throws(Errno) {
            root = try OwnedFD.open(FilePath("/proc/\(pid)/root"), O_PATH | O_DIRECTORY)
            thread = nil
            return
        } catch .noSuchFileOrDirectory {
        } catch {
            throw Failure("open the root of process \(pid)", error)
        }
        let tasks = FilePath("/proc/\(pid)/task")
        for name in (try? tasks.names()) ?? [] {
            let task = tasks.appending(String(decoding: name, as: UTF8.self))
            guard let number = Int32(String(decoding: name, as: UTF8.self)),
                let open = try? OwnedFD.open(task.appending("root"), O_PATH | O_DIRECTORY)
            else { continue }
            let raw = clinux_threadfd_open(number)
            guard raw != -EINVAL else {
                throw Failure(
                    "the first thread of the container's process 1 has ended, and others go on",
                    advice:
                        "From Linux 6.9 on such a container can be entered; this is \(Machine.kernel.release).",
                    kind: .failedPrecondition,
                    exitCode: ExitStatus.failed.rawValue
                )
            }
            guard raw >= 0 else { continue }
            let opened = OwnedFD(adopting: raw)
            // Checked after the opening, so it is a thread of this process.
            guard task.exists, !leader.hasEnded else { continue }
            root = open
            thread = OpenFile(opened)
            return
        }
        throw Failure("the container has ended", exitCode: ExitStatus.failed.rawValue)
    }

    /// Calls `body` with the descriptor for setns(2).
    borrowing func use<R>(_ leader: borrowing OwnedFD, _ body: (CInt) throws -> R) throws -> R {
        if let thread { return try thread.fd.use(body) }
        return try leader.use(body)
    }
}
