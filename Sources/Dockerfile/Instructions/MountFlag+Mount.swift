extension Instruction.MountFlag {
    /// The mount, once the variables are known. Throws an error without a place.
    package func mount(with variables: Variables) throws(DockerfileError) -> Instruction.Mount {
        var values: [(key: String, text: String?, field: Field)] = []
        var mount = Instruction.Mount()
        for field in fields {
            let text = try field.value?.expand(with: variables)
            if field.key == "type", let text { mount.kind = try Instruction.MountFlag.kind(text) }
            values.append((field.key, text, field))
        }
        mount.isReadOnly = mount.kind == .bind || mount.kind == .secret
        mount.from = from
        var isShared = false
        for (key, text, field) in values {
            switch key {
            case "type", "from": guard text != nil else { throw unknown(field) }
            case "readonly", "ro": mount.isReadOnly = try bool(text, field)
            case "readwrite", "rw": mount.isReadOnly = !(try bool(text, field))
            case "required":
                try require(mount.kind == .secret, field, mount.kind)
                mount.isRequired = try bool(text, field)
            default:
                guard let text else { throw unknown(field) }
                if key == "sharing" { isShared = true }
                try set(key, to: text, field, &mount)
            }
        }
        try check(&mount, isShared)
        return mount
    }

    private func set(
        _ key: String,
        to text: String,
        _ field: Field,
        _ mount: inout Instruction.Mount
    ) throws(DockerfileError) {
        switch key {
        case "source", "src": mount.source = text
        case "target", "dst", "destination": mount.target = text
        case "id": mount.id = text
        case "env": mount.variable = text
        case "size":
            try require(mount.kind == .tmpfs, field, mount.kind)
            guard let size = Instruction.MountFlag.size(text) else { throw invalid(text, field) }
            mount.size = size
        case "sharing":
            guard let sharing = Instruction.Mount.Sharing(rawValue: text.lowercased()) else {
                let known = Instruction.Mount.Sharing.allCases.map(\.rawValue)
                let hint = Suggestion.text(for: text, among: known)
                throw DockerfileError("unsupported sharing value \"\(text)\"\(hint)")
            }
            mount.sharing = sharing
        case "mode": mount.mode = try number(text, radix: 8, field, mount.kind)
        case "uid": mount.uid = try number(text, radix: 10, field, mount.kind)
        case "gid": mount.gid = try number(text, radix: 10, field, mount.kind)
        default: throw unknown(field)
        }
    }

    /// What a kind has not, and what stands for something that is missing.
    private func check(_ mount: inout Instruction.Mount, _ isShared: Bool) throws(DockerfileError) {
        guard !isShared || mount.kind == .cache else {
            throw DockerfileError("invalid cache sharing set for \(mount.kind.rawValue) mount")
        }
        switch mount.kind {
        case .cache where mount.id.isEmpty: mount.id = Instruction.MountFlag.cleaned(mount.target)
        case .secret:
            guard mount.from == nil else { throw DockerfileError("secret mount should not have a from") }
            guard !(mount.source.isEmpty && mount.target.isEmpty && mount.id.isEmpty) else {
                throw DockerfileError("invalid secret mount. one of source, target required")
            }
            guard mount.source.isEmpty || mount.id.isEmpty else {
                throw DockerfileError("both source and id can't be set")
            }
            if mount.id.isEmpty { mount.id = mount.source }
            if mount.id.isEmpty { mount.id = Instruction.MountFlag.lastPart(mount.target) }
            mount.source = ""
            if mount.target.isEmpty, mount.variable == nil {
                mount.target = "/run/secrets/\(Instruction.MountFlag.lastPart(mount.id))"
            }
        default: break
        }
    }

    private func require(
        _ isAllowed: Bool,
        _ field: Field,
        _ kind: Instruction.Mount.Kind
    ) throws(DockerfileError) {
        guard !isAllowed else { return }
        throw DockerfileError("unexpected key '\(field.key)' for mount type '\(kind.rawValue)'")
    }

    private func invalid(_ text: String, _ field: Field) -> DockerfileError {
        DockerfileError("invalid value for \(field.key): \(text)")
    }

    private func bool(_ text: String?, _ field: Field) throws(DockerfileError) -> Bool {
        switch text {
        case nil, "1", "t", "T", "true", "TRUE", "True": return true
        case "0", "f", "F", "false", "FALSE", "False": return false
        case let other?: throw invalid(other, field)
        }
    }

    private func number(
        _ text: String,
        radix: Int,
        _ field: Field,
        _ kind: Instruction.Mount.Kind
    ) throws(DockerfileError) -> UInt32 {
        guard kind == .cache || kind == .secret else {
            throw DockerfileError("\(field.key) not allowed for \"\(kind.rawValue)\" type mounts")
        }
        guard let number = UInt32(text, radix: radix), text.utf8.first != UInt8(ascii: "+") else {
            throw DockerfileError("invalid value \(text) for \(field.key)")
        }
        return number
    }
}
