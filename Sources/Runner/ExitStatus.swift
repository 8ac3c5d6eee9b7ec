/// How a container, or a program in it, ended, with the numbers of docker and the shells.
package struct ExitStatus: RawRepresentable, Hashable, Sendable, Codable {
    package let rawValue: Int32
    package init(rawValue: Int32) { self.rawValue = rawValue }

    /// mica itself failed: it did not try to execute the program.
    package static let failed = ExitStatus(rawValue: 125)
    /// The program exists, but can't be executed.
    package static let notExecutable = ExitStatus(rawValue: 126)
    package static let notFound = ExitStatus(rawValue: 127)
    /// Killed by `signal`.
    package static func killed(by signal: Int32) -> ExitStatus { ExitStatus(rawValue: 128 + signal) }
}
