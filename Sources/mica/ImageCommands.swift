import ArgumentParser

extension Mica {
    static let imageCommands: [any ParsableCommand.Type] = [
        BuildCommand.self,
        PullCommand.self,
        PushCommand.self,
        LoginCommand.self,
        LogoutCommand.self,
        TagsCommand.self,
        ManifestCommand.self,
        SearchCommand.self,
        LoadCommand.self,
        SaveCommand.self,
        ImportCommand.self,
        ImagesCommand.self,
        InspectCommand.self,
        HistoryCommand.self,
        TreeCommand.self,
        TagCommand.self,
        RmiCommand.self,
        ImageCommand.self,
    ]
}
