import Dockerfile
import OCI

extension StageBuilder {
    func execute(_ instruction: Instruction) throws {
        let text = instruction.source.text
        switch instruction.operation {
        case .run(let run): return try execute(run, text)
        case .copy(let copy): return try execute(CopyStep(copy), text)
        case .add(let add): return try execute(CopyStep(add), text)
        default: break
        }
        let line = try config.apply(instruction)
        draft.process = config.process
        if let author = config.author { draft.author = author }
        switch instruction.operation {
        case .workdir:
            let names = TreePath.names((config.process.workingDirectory ?? "/").utf8)
            if names.isEmpty { note(text) } else { try makeDirectory(names, text) }
        // The values of arguments stay out of the history.
        case .arg: note(text)
        default: if let line { note(line) }
        }
    }
}
