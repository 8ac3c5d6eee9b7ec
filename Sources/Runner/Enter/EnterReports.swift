import Linux
import SystemPackage

import CLinux
import Glibc

/// The reports of mica-enter until it executed the program, or ended.
struct EnterReports: ~Copyable {
    private(set) var made: [[UInt8]] = []
    /// The PID of the process that joins, in this process's PID namespace; 0: there is none.
    private(set) var pid: Int32 = 0
    private var process: OwnedFD?
    private(set) var isExecuting = false
    private(set) var failure: Failure?
    private var terminal: OwnedFD?

    /// Reads to the end, which comes when no process has the socket open any more.
    init(of socket: borrowing OwnedFD) throws {
        let size = MemoryLayout<enter_report>.size + Int(ENTER_LONGEST_TEXT)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 16)
        defer { buffer.deallocate() }
        guard let base = buffer.baseAddress else { return }
        while true {
            var fd: CInt = -1
            let count = socket.use { clinux_receive($0, base, size, &fd) }
            guard count >= 0 else {
                throw Failure("hear from \(EnterProgram.name)", Errno(rawValue: Int32(-count)))
            }
            if count == 0 { return }
            let carried = OwnedFD(adopting: fd)
            guard count >= MemoryLayout<enter_report>.size else { continue }
            let report = base.loadUnaligned(as: enter_report.self)
            take(report, Array(buffer[MemoryLayout<enter_report>.size..<count]), carried)
        }
    }

    mutating func takeTerminal() -> OwnedFD? { terminal.take() }

    /// The pidfd of `pid`.
    mutating func takeProcess() -> OwnedFD? { process.take() }

    private mutating func take(_ report: enter_report, _ text: [UInt8], _ carried: consuming OwnedFD) {
        if report.kind == UInt32(ENTER_MASTER) {
            terminal = consume carried
            return
        }
        if report.kind == UInt32(ENTER_PROCESS) {
            pid = report.number
            process = consume carried
            return
        }
        switch report.kind {
        case UInt32(ENTER_MADE): made.append(text)
        case UInt32(ENTER_EXECUTING): isExecuting = true
        case UInt32(ENTER_FAILED):
            let parts = text.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
                .map { String(decoding: $0, as: UTF8.self) }
            failure = EnterReports.failure(
                parts.first ?? "",
                parts.count > 1 ? parts[1] : "",
                Errno(rawValue: report.number),
                isExecuting: report.executing != 0
            )
        default: break
        }
    }

    private static func failure(_ action: String, _ object: String, _ errno: Errno, isExecuting: Bool)
        -> Failure
    {
        let words = "\(action) \(object)"
        switch errno {
        case .noMemory where !isExecuting, .noSuchProcess where !isExecuting:
            // A PID namespace whose process 1 is gone accepts no other process.
            if action.hasPrefix("enter the namespaces") || action.hasPrefix("start a process") {
                return Failure("the container has ended", exitCode: ExitStatus.failed.rawValue)
            }
            return Failure(words, errno, exitCode: ExitStatus.failed.rawValue)
        case _ where !isExecuting:
            return Failure(words, errno, exitCode: ExitStatus.failed.rawValue)
        case .noSuchFileOrDirectory where !object.contains("/") && action == "execute":
            return Failure(
                "\(object): not found in the container's PATH",
                exitCode: ExitStatus.notFound.rawValue
            )
        case .noSuchFileOrDirectory, .notDirectory:
            return Failure("\(words) in the container", errno, exitCode: ExitStatus.notFound.rawValue)
        default:
            return Failure("\(words) in the container", errno, exitCode: ExitStatus.notExecutable.rawValue)
        }
    }
}
