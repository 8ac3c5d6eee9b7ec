import ArgumentParser

extension Mica {
    /// In the order of --help.
    static let containerCommands: [any ParsableCommand.Type] = [
        RunCommand.self, CreateCommand.self, StartCommand.self, RestartCommand.self,
        ListContainersCommand.self,
        ExecCommand.self, AttachCommand.self, LogsCommand.self, EventsCommand.self, WaitCommand.self,
        PauseCommand.self,
        UnpauseCommand.self,
        StopCommand.self, KillCommand.self, CopyCommand.self, ExportCommand.self, UpdateCommand.self,
        RenameCommand.self,
        RemoveContainerCommand.self,
        MonitorCommand.self,
    ]
}
