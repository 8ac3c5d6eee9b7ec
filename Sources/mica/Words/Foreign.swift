/// Words of docker's and podman's command lines without an equal in mica, and what to use instead. docs/docker.md
/// has the same sentences; a test compares them.
enum Foreign {
    /// The verb for a member of one of docker's groups of verbs. nil when `group` is no such group.
    static func members(of group: String) -> ((String?) -> String?)? {
        switch group {
        case "container":
            return { member in
                switch member {
                case "ls", "list", "ps": "ps"
                case "run", "exec", "logs", "stop", "kill", "rm", "commit", "diff", "inspect", "create",
                    "start",
                    "restart", "pause", "unpause", "wait", "rename", "update", "attach", "cp", "export":
                    member
                default: nil
                }
            }
        case "image":
            return { member in
                switch member {
                case "ls", "list": "images"
                case "rm", "remove": "rmi"
                case "load", "save", "import", "pull", "push", "history", "tag", "inspect", "mount": member
                default: nil
                }
            }
        case "system": return { $0 == "info" ? "info" : nil }
        default: return nil
        }
    }

    static func verb(_ name: String) -> String? { ForeignVerbs.all.first { $0.holds(name, of: "") }?.use }

    /// `name`: without dashes. `verb`: empty for an option before the verb.
    static func option(_ name: String, of verb: String) -> String? {
        if verb == "kill", name.allSatisfy({ $0.isNumber || $0.isUppercase }) {
            return "The signal is a value: mica kill -s SIGNAL NAME."
        }
        return ForeignOptions.all.first { $0.holds(name, of: verb) }?.use
    }
}
