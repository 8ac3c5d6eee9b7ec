extension Grammar {
    /// nil for an unknown verb. `verb` includes the subcommand of a group: `snapshot ls`.
    static func of(_ verb: String) -> Grammar? {
        switch verb {
        case "run": return Grammar(process + "d|detach " + new, endsAtOperand: true)
        case "create": return Grammar(process + new, endsAtOperand: true)
        case "exec": return Grammar(process + "d|detach", endsAtOperand: true)
        default: return options(of: verb).map { Grammar($0) }
        }
    }

    /// Verbs that need a second word.
    static func isGroup(_ verb: String) -> Bool {
        ["snapshot", "bench", "image", "system", "manifest"].contains(verb)
    }

    private static let process = "i|interactive t|tty e|env= w|workdir= u|user= "
    private static let new = """
        m|memory= cpus= pids-limit= security-opt= rm name= v|volume= entrypoint= h|hostname= net|network= \
        read-only o= log-opt= pull=
        """

    private static func options(of verb: String) -> String? {
        switch verb {
        case "build":
            "t|tag= f|file= target= build-arg= label= no-cache pull? platform= secret= net|network= progress= iidfile="
                + " o|output= q|quiet cache-from= cache-to="
        case "pull": "a|all-tags q|quiet platform= tls-verify= layer-limits="
        case "push": "a|all-tags q|quiet compress= tls-verify="
        case "login": "u|username= p|password= password-stdin tls-verify="
        case "load": "i|input= t|tag= q|quiet layer-limits="
        case "save", "export": "o|output="
        case "import": "c|change= m|message= q|quiet layer-limits="
        case "tags", "manifest inspect": "tls-verify="
        case "manifest referrers": "artifact-type= format= tls-verify="
        case "search": "limit= no-trunc format= tls-verify="
        case "images": "a|all q|quiet no-trunc digests f|filter= format="
        case "image prune", "system prune": "a|all f|force filter="
        case "system df": "v|verbose format="
        case "inspect": "type= f|format="
        case "history": "no-trunc q|quiet format="
        case "rmi": "f|force"
        case "mount": "rw name= o="
        case "umount": "l|lazy f|force"
        case "commit": "m|message= a|author= c|change="
        case "snapshot prepare", "snapshot view", "snapshot commit": "l|label="
        case "gc": "n|dry-run explain build-cache format="
        case "fsck": "deep repair format="
        case "ps": "a|all q|quiet no-trunc format="
        case "logs": "f|follow n|tail= t|timestamps since= until="
        case "events": "f|filter= format= since= until="
        case "stop", "restart": "s|signal= t|timeout|time="
        case "attach": "no-stdin"
        case "monitor": "interactive"
        case "cp": "a|archive L|follow-link q|quiet"
        case "start": "a|attach i|interactive"
        case "update": "m|memory= cpus= pids-limit="
        case "kill": "s|signal="
        case "rm": "f|force"
        case "bench lookup": "index-only sample= format="
        case "mounts", "snapshot ls": "q|quiet format="
        case "version", "info": "f|format="
        case "doctor", "diff", "snapshot usage", "status": "format="
        case "wait", "pause", "unpause", "rename", "tag", "materialize", "settle", "snapshot", "snapshot rm",
            "snapshot stat", "bench", "logout", "tree", "image", "system", "manifest":
            ""
        default: nil
        }
    }
}
