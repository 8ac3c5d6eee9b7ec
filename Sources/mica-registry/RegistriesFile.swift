import Linux

/// A file that says something of registries: what in it is of the wrong kind is refused by its line, because to read past it
/// could be to miss that something is forbidden.
struct RegistriesFile {
    let path: String
    /// mica's: it has nothing that mica does not know. Others have settings of other programs.
    let isOwn: Bool

    func failure(_ value: TOML.Value, _ why: String) -> Failure {
        Failure("\(path), line \(value.line): \(why)")
    }

    func text(_ value: TOML.Value, _ name: String) throws -> String {
        guard let text = value.text else { throw failure(value, "\(name) is a text in quotes") }
        return text
    }

    /// false where it is not there.
    func truth(_ value: TOML.Value?, _ name: String) throws -> Bool {
        guard let value else { return false }
        guard let truth = value.truth else {
            throw failure(value, "\(name) is true or false, without quotes")
        }
        return truth
    }

    func list(_ value: TOML.Value, _ name: String) throws -> [TOML.Value] {
        guard let list = value.list else { throw failure(value, "\(name) is a list") }
        return list
    }

    /// Empty where it is not there.
    func table(_ value: TOML.Value?, _ name: String) throws -> [String: TOML.Value] {
        guard let value else { return [:] }
        guard let table = value.table else { throw failure(value, "\(name) is a table") }
        return table
    }

    /// HOST[:PORT][/PATH].
    func place(_ value: TOML.Value) throws -> String {
        let text = try text(value, "a registry")
        guard !text.contains("://"), !text.contains(where: \.isWhitespace), !text.hasPrefix("/") else {
            throw failure(value, "\(Printable.text(text)) is not of the form HOST[:PORT][/PATH]")
        }
        return text
    }

    /// Refuses what mica's own file can't have.
    func check(_ table: [String: TOML.Value], for known: [String]) throws {
        guard isOwn,
            let (name, value) = table.filter({ !known.contains($0.key) }).min(by: {
                $0.value.line < $1.value.line
            })
        else { return }
        throw failure(value, "there is no \(Printable.text(name)) here, but \(known.joined(separator: ", "))")
    }
}
