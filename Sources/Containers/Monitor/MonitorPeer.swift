import Linux
import SystemPackage

import Glibc
import Synchronization

/// The monitor's end of a client's socket. A client that does not read stalls the program, as any reader does, until the
/// program has ended: from then on messages wait here, and delay no other client.
final class MonitorPeer: Sendable {
    private struct Queue {
        var messages: [MonitorMessage] = []
        var thread: WorkerThread?
    }

    let socket: OpenFile
    private let queue = Mutex(Queue())

    init(_ socket: OpenFile) { self.socket = socket }

    /// EPIPE when the client has gone. `ended`: a descriptor that is readable once the program has ended; nil: it has.
    func send(_ kind: MonitorMessage.Kind, _ bytes: UnsafeRawBufferPointer, until ended: CInt?) throws(Errno)
    {
        var rest = bytes[...]
        repeat {
            let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(MonitorMessage.longest))
            if try !sendNow(kind, piece, until: ended) {
                try enqueue(MonitorMessage(kind: kind, bytes: Array(piece)))
            }
            rest = rest.dropFirst(MonitorMessage.longest)
        } while !rest.isEmpty
    }

    /// Waits until the client has taken everything, or has gone.
    func finish() {
        while let thread = queue.withLock({ $0.thread.take() }) { thread.join() }
    }

    /// false: the client takes nothing now, and the program has ended, or earlier messages still wait.
    private func sendNow(_ kind: MonitorMessage.Kind, _ piece: UnsafeRawBufferPointer, until ended: CInt?)
        throws(Errno)
        -> Bool
    {
        while queue.withLock({ $0.messages.isEmpty }) {
            do throws(Errno) {
                try MonitorMessage.sendOne(kind, piece, to: socket.fd, waiting: false)
                return true
            } catch {
                guard error == .wouldBlock else { throw error }
                guard let ended else { return false }
                var watched = [
                    pollfd(fd: socket.fd.raw, events: Int16(POLLOUT), revents: 0),
                    pollfd(fd: ended, events: Int16(POLLIN), revents: 0),
                ]
                _ = try Errno.retrying { poll(&watched, 2, -1) }
                if watched[1].revents != 0 { return false }
            }
        }
        return false
    }

    private func enqueue(_ message: MonitorMessage) throws(Errno) {
        let isFirst = queue.withLock { queue in
            queue.messages.append(message)
            return queue.messages.count == 1
        }
        guard isFirst else { return }
        // An earlier one has come to its end.
        finish()
        let thread: WorkerThread
        do {
            thread = try WorkerThread { [self] in drain() }
        } catch {
            throw .noMemory
        }
        queue.withLock { $0.thread = thread }
    }

    private func drain() {
        while let message = queue.withLock({ $0.messages.first }) {
            let isSent = (try? MonitorMessage.send(message.kind, message.bytes, to: socket.fd)) != nil
            queue.withLock { queue in
                if isSent { queue.messages.removeFirst() } else { queue.messages = [] }
            }
        }
    }
}
