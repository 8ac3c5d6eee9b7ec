import ArgumentParser

extension Mica {
    static let imageCommands: [any ParsableCommand.Type] = [
        PullCommand.self,
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
