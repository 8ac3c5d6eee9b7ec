import Linux

extension Store {
    /// Failure (alreadyExists) where a container or a snapshot has the name, and says which.
    package func rename(container id: String, to name: String) throws {
        try write { connection in
            try connection.checkThatNameIsFree(name)
            try connection.run("UPDATE containers SET name = ? WHERE id = ?", name, id)
        }
    }

    /// Replaces its JSON, which is module Containers' own.
    package func update(container id: String, config: [UInt8]) throws {
        try write { try $0.run("UPDATE containers SET config = ? WHERE id = ?", config, id) }
    }
}
