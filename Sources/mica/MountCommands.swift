import ArgumentParser

extension Mica {
    /// mount, umount, mounts, settle, doctor
    static let mountCommands: [any ParsableCommand.Type] = [
        MountCommand.self, UnmountCommand.self, ListMountsCommand.self, SettleCommand.self,
        DoctorCommand.self,
    ]
}
