import ArgumentParser

extension Mica {
    /// mount, umount, mounts, doctor
    static let mountCommands: [any ParsableCommand.Type] = [
        MountCommand.self, UnmountCommand.self, ListMountsCommand.self, DoctorCommand.self,
    ]
}
