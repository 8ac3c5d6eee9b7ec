import ArgumentParser

extension Mica {
    static let imageCommands: [any ParsableCommand.Type] = [
        PullCommand.self,
        LoginCommand.self,
        LogoutCommand.self,
        LoadCommand.self,
        SaveCommand.self,
        ImportCommand.self,
        ImagesCommand.self,
        InspectCommand.self,
        HistoryCommand.self,
        TagCommand.self,
        RmiCommand.self,
    ]
}
