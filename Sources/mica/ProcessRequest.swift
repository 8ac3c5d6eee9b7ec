import Glibc

/// The options that run and exec share about the program, without a command's property wrappers.
struct ProcessRequest {
    var interactive = false
    var tty = false
    /// The values of `-e`, as given.
    var env: [String] = []
    var workdir: String?
    var user: String?

    /// NAME=VALUE. A name that is not set in our environment is left out, as in docker.
    var environment: [String] {
        env.compactMap { entry in
            if entry.contains("=") { return entry }
            return getenv(entry).map { "\(entry)=\(String(cString: $0))" }
        }
    }
}
