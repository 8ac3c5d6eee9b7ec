import Containers
import Linux
import Runner
import SystemPackage

import Glibc

/// The user's standard streams, as a container's other side.
struct Console {
    let attachment: Containers.Attachment

    init(_ options: ProcessOptions) throws {
        let isTerminal = HostTerminal.isTerminal(STDIN_FILENO)
        if options.tty, options.interactive, !isTerminal {
            throw Failure(
                "standard input is not a terminal",
                advice: "Leave out -t to pass on what a pipe or file holds.",
                exitCode: 125
            )
        }
        attachment = Containers.Attachment(
            input: options.interactive ? STDIN_FILENO : -1,
            terminal: options.tty && options.interactive ? STDIN_FILENO : -1
        ) { stream, bytes in
            try Console.write(bytes, to: stream == .output ? STDOUT_FILENO : STDERR_FILENO)
        }
    }

    static func write(_ bytes: UnsafeRawBufferPointer, to fd: CInt) throws(Errno) {
        var done = 0
        while done < bytes.count {
            done += try Errno.retrying {
                Glibc.write(fd, bytes.baseAddress.map { $0 + done }, bytes.count - done)
            }
        }
    }
}
