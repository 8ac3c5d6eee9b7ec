import CCurl
import Glibc
import Linux

extension HTTP {
    /// One request on its way: what libcurl's callbacks work with.
    final class Transfer {
        var response = Response()
        let follows: Bool
        /// What is asked for is in the body of a good answer; all else are words.
        let isForBody: Bool
        /// Bytes of words so far.
        private var words = 0
        let content: UploadContent?
        let body: (UnsafeRawBufferPointer, Response) -> Bool

        init(
            follows: Bool,
            isForBody: Bool,
            content: UploadContent?,
            _ body: @escaping (UnsafeRawBufferPointer, Response) -> Bool
        ) {
            self.follows = follows
            self.isForBody = isForBody
            self.content = content
            self.body = body
        }

        /// Bytes of words that are heard.
        private static let mostWords = 1 << 20

        /// Whether words are still worth hearing: an answer that means nothing but a status may never end.
        func hears(_ count: Int) -> Bool {
            if isForBody, response.status == 200 || response.status == 206 { return true }
            words += count
            return words <= Transfer.mostWords
        }

        /// More came than is heard.
        var isEndless: Bool { words > Transfer.mostWords }

        /// A line of the headers. A status line begins an answer: the last one counts.
        func note(_ line: String) {
            if line.hasPrefix("HTTP/") {
                response = HTTP.Response()
                let words = line.split(separator: " ")
                response.status = words.count > 1 ? Int(words[1].prefix(3)) ?? 0 : 0
                return
            }
            guard let colon = line.firstIndex(of: ":") else { return }
            let name = line[..<colon].lowercased()
            let value = line[line.index(after: colon)...].trimmed
            if name == "www-authenticate" { response.challenges.append(value) }
            if response.headers[name] == nil, response.headers.count < 200 { response.headers[name] = value }
        }
    }

    private static func transfer(_ context: UnsafeMutableRawPointer) -> Transfer {
        Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
    }

    static let body: ccurl_sink = { bytes, size, count, context in
        guard let context, let bytes else { return 0 }
        let transfer = transfer(context)
        guard transfer.hears(size * count) else { return 0 }
        // Words about where to go instead.
        if transfer.response.isRedirect, transfer.follows { return size * count }
        let buffer = UnsafeRawBufferPointer(start: bytes, count: size * count)
        return transfer.body(buffer, transfer.response) ? size * count : 0
    }

    static let header: ccurl_sink = { bytes, size, count, context in
        guard let context, let bytes else { return 0 }
        transfer(context).note(
            String(decoding: UnsafeRawBufferPointer(start: bytes, count: size * count), as: UTF8.self)
        )
        return size * count
    }

    static let source: ccurl_sink = { bytes, size, count, context in
        guard let context, let bytes, let content = transfer(context).content else { return 0 }
        let buffer = UnsafeMutableRawBufferPointer(start: bytes, count: size * count)
        return content.read(into: buffer) ?? Int(CURL_READFUNC_ABORT)
    }

    static let rewind: @convention(c) (UnsafeMutableRawPointer?, curl_off_t, CInt) -> CInt = {
        context,
        offset,
        origin in
        guard let context, origin == SEEK_SET, offset == 0, let content = transfer(context).content else {
            return CInt(CURL_SEEKFUNC_FAIL)
        }
        content.rewind()
        return CInt(CURL_SEEKFUNC_OK)
    }
}

extension StringProtocol {
    /// Without blanks and line ends around.
    var trimmed: String {
        let isBlank: (Character) -> Bool = { $0.isWhitespace || $0.isNewline }
        let start = drop(while: isBlank)
        guard let last = start.lastIndex(where: { !isBlank($0) }) else { return "" }
        return String(start[...last])
    }
}
