import ArgumentParser

extension Mica {
    /// run, ps, exec, logs, stop, kill, rm
    static let containerCommands: [any ParsableCommand.Type] = [
        RunCommand.self, ListContainersCommand.self, ExecCommand.self, LogsCommand.self, StopCommand.self,
        KillCommand.self, RemoveContainerCommand.self, SuperviseCommand.self,
    ]
}
