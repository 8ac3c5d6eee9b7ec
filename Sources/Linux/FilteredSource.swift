import CLinux
import Glibc
import Synchronization
import SystemPackage

/// What a program makes of a stream on its standard input. It gets no environment, no file of this process's, none of
/// root's rights, and a limit of memory: what it reads is not to be trusted.
package final class FilteredSource: ByteSource, @unchecked Sendable {
    // Safe to share: one thread reads, the one that feeds the program has nothing but the source and `problem`.
    private let process: HostProcess
    private let output: OpenFile
    private let failure: Failure
    private let problem = Problem()
    private var isOver = false
    /// The program did not like what it read: so it is each time.
    private var hasFailed = false

    private final class Problem: Sendable {
        let error = Mutex<(any Error)?>(nil)
    }

    /// `arguments[0]`: a path. `memory`: bytes of address space. `failure`: what is thrown where it does not end with 0.
    package init(
        _ arguments: [String],
        _ source: some ByteSource,
        memory: UInt64,
        failing failure: Failure
    ) throws {
        self.failure = failure
        let toIt = try naming("make a pipe") { try Pipe() }
        let fromIt = try naming("make a pipe") { try Pipe() }
        let command = FilteredSource.contained(arguments, memory: memory)
        process = try HostProcess(command, descriptors: [toIt.read.raw, fromIt.write.raw, nil])
        output = OpenFile(fromIt.takeReadEnd())
        let input = OpenFile(toIt.takeWriteEnd())
        let problem = problem
        do {
            try WorkerThread { FilteredSource.feed(source, into: input, problem) }.detach()
        } catch {
            kill(process.pid, SIGKILL)
            _ = try? process.wait()
            isOver = true
            throw Failure("start a thread", error)
        }
    }

    deinit {
        guard !isOver else { return }
        kill(process.pid, SIGKILL)
        _ = try? process.wait()
    }

    package func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        guard !hasFailed else { throw failure }
        guard !isOver else { return 0 }
        let count = try output.fd.read(into: buffer)
        guard count == 0, !buffer.isEmpty else { return count }
        isOver = true
        let status = try process.wait()
        // Where the source can't be read, the program has got less than there is.
        if let error = problem.error.withLock({ $0 }) { throw error }
        guard status == 0 else {
            hasFailed = true
            throw failure
        }
        return 0
    }

    private static func feed(_ source: some ByteSource, into input: OpenFile, _ problem: Problem) {
        var source = source
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 17, alignment: 4096)
        defer { buffer.deallocate() }
        while true {
            let count: Int
            do { count = try source.read(into: buffer) } catch {
                problem.error.withLock { $0 = error }
                return
            }
            guard count > 0, let bytes = buffer.baseAddress,
                input.fd.use({ clinux_write_quietly($0, bytes, count) }) == 0
            else { return }
        }
    }

    /// By programs that every Debian has.
    private static func contained(_ arguments: [String], memory: UInt64) -> [String] {
        let asRoot = [
            "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all",
        ]
        return ["/usr/bin/env", "-i", "/usr/bin/setpriv", "--no-new-privs"] + (geteuid() == 0 ? asRoot : [])
            + ["/usr/bin/prlimit", "--as=\(memory)", "--fsize=0", "--core=0"] + arguments
    }
}
