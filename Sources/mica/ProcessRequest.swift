import Glibc

/// What run and exec are asked about the program that they start, without a command's properties.
struct ProcessRequest {
    var interactive = false
    var tty = false
    /// Words of `-e`, as they came.
    var env: [String] = []
    var workdir: String?
    var user: String?

    /// NAME=VALUE. A name that we don't have ourselves is left out, as in docker.
    var environment: [String] {
        env.compactMap { entry in
            if entry.contains("=") { return entry }
            return getenv(entry).map { "\(entry)=\(String(cString: $0))" }
        }
    }
}
