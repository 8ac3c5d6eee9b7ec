extension InstructionParser {
    func run() throws(DockerfileError) -> Instruction.Run {
        let flags = try Flags(
            line.flags,
            known: ["mount": .texts, "network": .text, "security": .text, "device": .texts]
        )
        guard documents.allSatisfy({ !$0.raw.utf8.contains(0) }) else {
            throw DockerfileError("the here-document has a NUL in it")
        }
        let command = try commandLine(line.rest)
        let mounts = try flags.texts("mount").map { text throws(DockerfileError) in
            try Instruction.MountFlag(text, escape: line.escape)
        }
        return Instruction.Run(
            command: command,
            documents: documents,
            mounts: mounts,
            network: try network(flags.text("network"), flags)
        )
    }

    private func network(_ text: String?, _ flags: Flags) throws(DockerfileError) -> Instruction.Run.Network {
        guard flags.texts("device").isEmpty else {
            throw DockerfileError("RUN --device is not supported: mica gives no devices to containers")
        }
        switch flags.text("security") {
        case nil, "sandbox": break
        case "insecure":
            throw DockerfileError("RUN --security=insecure is not supported: mica contains every RUN")
        case let other?: throw DockerfileError("security \"\(other)\" is not valid")
        }
        guard let network = Instruction.Run.Network(rawValue: text ?? "default") else {
            throw DockerfileError("invalid network mode \"\(text ?? "")\"")
        }
        return network
    }
}
