package import Runner

/// What a container wrote to one stream and was read at once.
package struct LogRecord: Sendable, Equatable {
    /// Never empty.
    package var bytes: [UInt8]
    package var stream: Relay.Stream
    /// Unix nanoseconds.
    package var time: Int64
}
