package import Runner

/// Output of a container, as one read from one stream returned it.
package struct LogRecord: Sendable, Equatable {
    /// Never empty.
    package var bytes: [UInt8]
    package var stream: StdioProxy.Stream
    /// Unix nanoseconds.
    package var time: Int64
}
