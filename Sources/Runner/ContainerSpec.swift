/// All that is decided about a container before it starts: containers/<id>/config.json.
package struct ContainerSpec: Codable, Sendable, Equatable {
    package enum Network: String, Codable, Sendable, CaseIterable {
        /// A network namespace with only lo.
        case none
        /// The host's.
        case host
    }

    /// 64 hex digits.
    package var id: String
    package var process: ProcessSpec
    package var hostname: String
    package var network: Network
    package var volumes: [Volume]
    package var readOnlyRoot: Bool
    /// micafs's options for the root: how data is kept and moved. nil in files of earlier versions: none.
    package var rootOptions: [String]?
    /// The signal that `stop` sends; its name or number.
    package var stopSignal: String
    /// nil: the default limits.
    package var resources: Resources?
    /// Whether set-user-ID programs and file capabilities grant nothing. nil: they do grant privileges.
    package var noNewPrivileges: Bool?
    /// `unconfined`, or the path of the profile that its filter was made from. nil: SeccompProfile.standard.
    package var seccomp: String?
    /// Removed, with everything it wrote, once it has ended.
    package var removeAtExit: Bool
    /// nil in files of earlier versions: the standard limits.
    package var logLimits: LogLimits?

    package init(
        id: String,
        process: ProcessSpec,
        hostname: String,
        network: Network = .none,
        volumes: [Volume] = [],
        readOnlyRoot: Bool = false,
        stopSignal: String = "TERM",
        removeAtExit: Bool = false
    ) {
        self.id = id
        self.process = process
        self.hostname = hostname
        self.network = network
        self.volumes = volumes
        self.readOnlyRoot = readOnlyRoot
        self.stopSignal = stopSignal
        self.removeAtExit = removeAtExit
    }
}
