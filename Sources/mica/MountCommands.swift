import ArgumentParser

extension Mica {
    /// mount, umount, mounts
    static let mountCommands: [any ParsableCommand.Type] = [
        MountCommand.self, UnmountCommand.self, ListMountsCommand.self,
    ]
}
