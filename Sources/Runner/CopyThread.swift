import Linux
import SystemPackage

import Glibc

/// A thread that moves bytes with blocking calls: what one reader doesn't take must not hold up another,
/// or a signal.
struct CopyThread {
    private let thread: WorkerThread?

    /// Runs `body` at once in the caller where no thread can be had.
    init(_ body: @escaping @Sendable () -> Void) {
        thread = try? WorkerThread(body)
        if thread == nil { body() }
    }

    /// Waits for its end. Once at most.
    func join() {
        thread?.join()
    }

    func detach() {
        thread?.detach()
    }

    /// Reads `source` to its end, or to an error, and gives every piece to `sink`; ends as well when that
    /// throws. For one whose thread blocks SIGTTIN, as a relay's do: while other jobs have the terminal it waits.
    static func copy(from source: CInt, to sink: (UnsafeRawBufferPointer) throws -> Void) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65536, alignment: 16)
        defer { buffer.deallocate() }
        while true {
            let count: Int
            do throws(Errno) {
                count = try InheritedFD(source).read(into: buffer)
            } catch {
                guard error == .ioError, HostTerminal.isAnothers(source) else { return }
                usleep(200_000)
                continue
            }
            guard count > 0 else { return }
            do { try sink(UnsafeRawBufferPointer(rebasing: buffer[..<count])) } catch { return }
        }
    }
}
