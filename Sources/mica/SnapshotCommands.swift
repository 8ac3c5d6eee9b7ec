import ArgumentParser

extension Mica {
    /// commit, diff, materialize, snapshot
    static let snapshotCommands: [any ParsableCommand.Type] = [
        CommitCommand.self, DiffCommand.self, MaterializeCommand.self, SnapshotCommand.self,
    ]

    /// gc, system, fsck, info, doctor, bench, version
    static let storeCommands: [any ParsableCommand.Type] = [
        CollectCommand.self, SystemCommand.self, CheckCommand.self, InfoCommand.self, StatusCommand.self,
        DoctorCommand.self,
        BenchCommand.self,
        VersionCommand.self,
    ]
}
