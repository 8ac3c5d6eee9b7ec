import Glibc
import Linux
import OCI
import Registry

/// Speaks with a registry for mica, which starts it for one repository. It ends at the end of its standard input.
@main
struct MicaRegistry {
    static func main() {
        // Writing to a pipe that mica has closed is an error, not a signal.
        signal(SIGPIPE, SIG_IGN)
        // A signal from the terminal reaches mica, too. Where that ends, this ends with its standard input; where mica goes
        // on, so does this.
        for number in [SIGHUP, SIGINT, SIGQUIT] { signal(number, SIG_IGN) }
        HTTP.prepare()
        let replies = Replies()
        guard let first = readLine(strippingNewline: true),
            let opening = decode(RegistryMessage.Opening.self, first)
        else {
            let usage = "mica-registry: started by mica, which says what it wants on standard input\n"
            _ = write(STDERR_FILENO, usage, usage.utf8.count)
            exit(2)
        }
        let repositories = Result { try Repositories(opening) }
        while let line = readLine(strippingNewline: true) {
            guard let request = decode(RegistryMessage.Request.self, line) else { continue }
            let thread = try? WorkerThread { replies.answer(request, opening, repositories) }
            if let thread { thread.detach() } else { replies.answer(request, opening, repositories) }
        }
        exit(0)
    }

    private static func decode<Value: Decodable>(_ type: Value.Type, _ line: String) -> Value? {
        try? JSONDocument.decode(type, from: Array(line.utf8), name: "request")
    }
}
