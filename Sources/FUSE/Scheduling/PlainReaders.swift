import CFUSE

/// Every thread reads and answers.
struct PlainReaders: RequestReaders, @unchecked Sendable {
    // Safe to share: it only passes on the connection, which the session owns.
    let connection: UnsafeMutablePointer<cfuse_connection>

    func serve(_ buffer: UnsafeMutableRawPointer, cpu: UInt16?) -> Int32 {
        while true {
            let size = cfuse_read_request(connection, buffer)
            guard size >= 0 else { return Int32(size) }
            if size > 0 { cfuse_serve_request(connection, buffer, size, nil) }
        }
    }
}
