import Linux
import SystemPackage

import Glibc

/// A thread that copies bytes with blocking calls, so that one slow reader delays neither another one nor a signal.
package struct CopyThread {
    private let thread: WorkerThread?

    /// Runs `body` in the calling thread where no thread can be had.
    package init(_ body: @escaping @Sendable () -> Void) {
        thread = try? WorkerThread(body)
        if thread == nil { body() }
    }

    /// Waits for its end. Call it at most once.
    func join() {
        thread?.join()
    }

    package func detach() {
        thread?.detach()
    }

    /// Reads `source` to its end, or to an error, and passes every piece to `sink`; ends also when that throws. For
    /// threads that block SIGTTIN, as a stdio proxy's do: while another job has the terminal it waits.
    package static func copy(from source: CInt, to sink: (UnsafeRawBufferPointer) throws -> Void) {
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
