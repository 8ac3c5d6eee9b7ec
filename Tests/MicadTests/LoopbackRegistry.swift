import CLinux
import Foundation
import Glibc
import Linux
import MountFixtures
import SystemPackage

/// Debian's docker-registry on a port of its own, which goes with the value.
final class LoopbackRegistry {
    static let isThere = access("/usr/bin/docker-registry", X_OK) == 0

    /// 127.0.0.1:PORT.
    let address: String
    private let pid: pid_t

    init(in workspace: Workspace) throws {
        let directory = try workspace.directory("registry")
        let config = """
            version: 0.1
            storage: {filesystem: {rootdirectory: \(directory)/data}}
            http: {addr: "127.0.0.1:0"}
            log: {level: info}

            """
        try config.write(toFile: "\(directory)/config.yml", atomically: false, encoding: .utf8)
        let log = "\(directory)/log"
        let output = try OwnedFD.open(FilePath(log), O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)
        let command = [
            "/usr/bin/env", "OTEL_TRACES_EXPORTER=none", "/usr/bin/docker-registry", "serve",
            "\(directory)/config.yml",
        ]
        var list = command.map { UnsafePointer<CChar>(strdup($0)) }
        defer { for argument in list { free(UnsafeMutablePointer(mutating: argument)) } }
        list.append(nil)
        let pid = clinux_spawn_host("/usr/bin/env", list, [-1, output.raw, output.raw], 3, 1)
        guard pid > 0 else { throw Failure("start docker-registry", Errno(rawValue: -pid)) }
        for _ in 0..<ContainerdFixture.patience * 20 {
            let text = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
            if let place = text.range(of: "listening on ") {
                let address = text[place.upperBound...].prefix { !"\", \n".contains($0) }
                // The line may be there in part.
                if text[place.upperBound...].contains("\n") {
                    (self.address, self.pid) = (String(address), pid)
                    return
                }
            }
            usleep(50_000)
        }
        kill(pid, SIGKILL)
        waitpid(pid, nil, 0)
        throw Failure("docker-registry does not listen")
    }

    deinit {
        kill(pid, SIGKILL)
        waitpid(pid, nil, 0)
    }
}
