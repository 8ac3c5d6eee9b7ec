/// How the threads that serve requests share CPUs with their callers.
package enum Scheduling: String, Sendable, CaseIterable {
    /// Each thread reads and answers wherever the kernel runs it: the reference for `leading`.
    case plain
    /// Callers stay on their CPU: a thread that serves one request after the other lets its caller go first
    /// (`CPUHandover`), and one reader of /dev/fuse reads alone while callers ask one after the other
    /// (`LeadingReaders`).
    case leading
}

/// Threads that read a connection's requests from /dev/fuse.
protocol RequestReaders: Sendable {
    /// Reads requests and serves them, as one of the reading threads, until the mount is gone: 0, or -errno where
    /// reading failed (-ENODEV after an unmount). `buffer`: CFUSE_BUFFER_SIZE bytes. `cpu`: this thread's own CPU,
    /// if it has one.
    func serve(_ buffer: UnsafeMutableRawPointer, cpu: UInt16?) -> Int32
}
