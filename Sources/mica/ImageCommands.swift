import ArgumentParser

extension Mica {
    static let imageCommands: [any ParsableCommand.Type] = [
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
