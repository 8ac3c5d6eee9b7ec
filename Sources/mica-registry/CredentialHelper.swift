import FoundationEssentials
import Glibc
import Linux
import OCI
import SystemPackage

/// docker-credential-NAME, which keeps names and passwords.
struct CredentialHelper {
    private let name: String
    private let program: String

    /// Failure where there is no such program. `suffix`: NAME.
    init(_ suffix: String) throws {
        guard !suffix.contains("/"), !suffix.isEmpty else {
            throw Failure("docker-credential-\(suffix) is no program's name")
        }
        name = "docker-credential-\(suffix)"
        let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
        let name = name
        let found: String? = path.split(separator: ":").map { "\($0)/\(name)" }.first {
            access($0, X_OK) == 0
        }
        guard let found else { throw Failure("\(name), which keeps the passwords, is not installed") }
        program = found
    }

    private struct Entry: Codable {
        var ServerURL: String?
        let Username: String
        let Secret: String
    }

    /// nil where it knows none.
    func get(_ key: String) throws -> Credentials? {
        guard let said = try run("get", key) else { return nil }
        guard let answer = try? JSONDecoder().decode(Entry.self, from: Data(said)) else {
            throw Failure("\(name), which keeps the passwords, fails: it answers no JSON")
        }
        return answer.Username == "<token>"
            ? Credentials(user: "", password: "", identityToken: answer.Secret)
            : Credentials(user: answer.Username, password: answer.Secret)
    }

    func store(_ credentials: Credentials, for key: String) throws {
        let entry = Entry(
            ServerURL: key,
            Username: credentials.identityToken == nil ? credentials.user : "<token>",
            Secret: credentials.identityToken ?? credentials.password
        )
        let text = String(decoding: try JSONDocument.encode(entry), as: UTF8.self)
        guard try run("store", text) != nil else { throw Failure("\(name) does not keep passwords") }
    }

    /// false where there is none.
    func erase(_ key: String) throws -> Bool {
        guard try get(key) != nil else { return false }
        return try run("erase", key) != nil
    }

    /// What it says to `input`; nil where it says that there is nothing.
    private func run(_ verb: String, _ input: String) throws -> [UInt8]? {
        let toIt = try naming("make a pipe") { try Pipe() }
        let fromIt = try naming("make a pipe") { try Pipe() }
        let process = try HostProcess(
            [program, verb],
            descriptors: [toIt.read.raw, fromIt.write.raw, nil]
        )
        let sink = toIt.takeWriteEnd()
        try? sink.writeAll(Array(input.utf8))
        _ = consume sink
        let end = KernelClock.now(CLOCK_MONOTONIC) + Int64(TimeLimit.helper) * 1_000_000_000
        guard let said = CredentialHelper.contents(fromIt.takeReadEnd(), until: end),
            let status = CredentialHelper.status(of: process.pid, until: end)
        else {
            kill(process.pid, SIGKILL)
            _ = try? process.wait()
            throw Failure("\(name), which keeps the passwords, has not answered for \(TimeLimit.helper) s")
        }
        let isDone = status == 0
        let text = String(decoding: said, as: UTF8.self)
        // What helpers of docker's say where there is nothing.
        if !isDone, text.contains("credentials not found") { return nil }
        guard isDone else {
            // It may repeat what it got.
            guard verb != "store" else { throw Failure("\(name) could not keep the password") }
            let line = text.split(separator: "\n").first.map { Printable.text(String($0.prefix(200))) } ?? ""
            throw Failure("\(name), which keeps the passwords, fails: \(line)")
        }
        return said
    }

    /// All that comes until the other end is closed; nil where that takes too long, or it is far too much.
    private static func contents(_ source: borrowing OwnedFD, until end: Int64) -> [UInt8]? {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while bytes.count < 1 << 20 {
            let left = (end - KernelClock.now(CLOCK_MONOTONIC)) / 1_000_000
            guard left > 0 else { return nil }
            var ready = pollfd(fd: source.raw, events: Int16(POLLIN), revents: 0)
            let count = poll(&ready, 1, CInt(clamping: left))
            if count < 0, errno != EINTR { return nil }
            guard count > 0 else { continue }
            guard let read = try? buffer.withUnsafeMutableBytes({ try source.read(into: $0) }) else {
                return nil
            }
            if read == 0 { return bytes }
            bytes += buffer[..<read]
        }
        return nil
    }

    /// What a child that has closed its output ends with; nil where it does not end.
    private static func status(of pid: pid_t, until end: Int64) -> CInt? {
        var status: CInt = 0
        while true {
            let ended = waitpid(pid, &status, WNOHANG)
            if ended == pid { return status }
            guard ended == 0 || errno == EINTR, KernelClock.now(CLOCK_MONOTONIC) < end else { return nil }
            usleep(2000)
        }
    }
}
