import ArgumentParser

extension Mica {
    /// commit, diff, snapshot, gc, fsck
    static let snapshotCommands: [any ParsableCommand.Type] = [
        CommitCommand.self, DiffCommand.self, SnapshotCommand.self, CollectCommand.self,
        CheckCommand.self,
    ]
}
