import Linux
import SystemPackage

import Glibc

extension ContainerProcess {
    /// Passes on what the program writes, on this thread, and waits for its end. Pipes that it has passed to others are
    /// followed for as long as those live, which is no longer than process 1 does.
    package func follow(
        _ streams: ProcessStreams,
        _ sink: (StdioProxy.Stream, UnsafeRawBufferPointer) throws -> Void
    ) throws -> ExitStatus {
        let output = OpenFile(of: streams.takeOutput())
        let error = OpenFile(of: streams.takeError())
        var watched = [output, error].map {
            pollfd(fd: $0?.fd.raw ?? -1, events: Int16(POLLIN), revents: 0)
        }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65536, alignment: 16)
        defer { buffer.deallocate() }
        try withExtendedLifetime((output, error)) {
            while watched.contains(where: { $0.fd >= 0 }) {
                try naming("poll") { _ = try Errno.retrying { poll(&watched, 2, -1) } }
                for (number, stream) in [StdioProxy.Stream.output, .error].enumerated()
                where watched[number].fd >= 0 && watched[number].revents != 0 {
                    let count = try naming("read a program's output") {
                        try InheritedFD(watched[number].fd).read(into: buffer)
                    }
                    if count == 0 {
                        watched[number].fd = -1
                    } else {
                        try sink(stream, UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                    }
                }
            }
        }
        return try naming("wait for process \(pid)") { try wait() }
    }
}

extension OpenFile {
    fileprivate convenience init?(of fd: consuming OwnedFD?) {
        switch consume fd {
        case .some(let fd): self.init(fd)
        case .none: return nil
        }
    }
}
