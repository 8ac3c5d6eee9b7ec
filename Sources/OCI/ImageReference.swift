import Linux

/// The name of an image: `[domain/]path[:tag][@digest]`, completed by docker's rules, so that `debian`,
/// `library/debian:latest` and `docker.io/library/debian` are one name.
package struct ImageReference: Hashable, Sendable {
    /// A host, perhaps with a port; `localhost` for images made here.
    package let domain: String
    /// Lower-case components, separated by slashes.
    package let path: String
    /// `latest` where neither a tag nor a digest was given.
    package let tag: String?
    package let digest: Digest?

    /// Throws a `Failure` that says what is wrong with `text`.
    package init(_ text: some StringProtocol) throws {
        func invalid(_ why: String) -> Failure { Failure("\"\(text)\" is not an image name: \(why)") }
        guard !text.isEmpty else { throw invalid("it is empty") }

        var rest = Substring(text)
        var digest: Digest?
        if let at = rest.firstIndex(of: "@") {
            digest = Digest(rest[rest.index(after: at)...])
            guard digest != nil else { throw invalid("after @ comes sha256: and 64 hex digits") }
            rest = rest[..<at]
        }
        var tag: Substring?
        if let colon = rest.lastIndex(of: ":"), !rest[colon...].contains("/") {
            tag = rest[rest.index(after: colon)...]
            rest = rest[..<colon]
        }
        if let tag, !ImageReference.isTag(tag) {
            throw invalid("a tag is up to 128 letters, digits, dots, dashes and underscores")
        }
        if tag == nil, digest == nil, Digest(hex: rest) != nil {
            throw invalid("64 hex digits are an image's ID")
        }

        var (domain, path) = ImageReference.split(rest)
        if domain == "docker.io" || domain == "index.docker.io" {
            domain = "docker.io"
            if !path.contains("/") { path = "library/" + path }
        }
        guard ImageReference.isDomain(domain) else { throw invalid("\"\(domain)\" is not a host") }
        guard
            path.split(separator: "/", omittingEmptySubsequences: false).allSatisfy(
                ImageReference.isComponent
            )
        else {
            throw invalid(
                path.contains(where: \.isUppercase)
                    ? "it must be lower-case"
                    : "its parts are lower-case letters and digits, with single . _ or dashes between"
            )
        }
        guard domain.utf8.count + path.utf8.count < 255 else { throw invalid("it is longer than 255 bytes") }
        self.domain = domain
        self.path = path
        self.tag = tag.map(String.init) ?? (digest == nil ? "latest" : nil)
        self.digest = digest
    }

    /// `domain/path`, complete.
    package var name: String { "\(domain)/\(path)" }

    /// As users write it: without `docker.io/` and `library/`.
    package var familiarName: String {
        guard domain == "docker.io" else { return name }
        let library = "library/"
        guard path.hasPrefix(library), !path.dropFirst(library.count).contains("/") else { return path }
        return String(path.dropFirst(library.count))
    }

    /// As users write it, with its tag and digest.
    package var familiar: String { familiarName + suffix }

    private var suffix: String { (tag.map { ":\($0)" } ?? "") + (digest.map { "@\($0)" } ?? "") }

    /// Whether `text` is a name that does not say which registry.
    package static func isShort(_ text: some StringProtocol) -> Bool {
        guard let first = text.split(separator: "/", maxSplits: 1).first, first.count < text.count else {
            return true
        }
        return !isHost(first)
    }

    private static func isHost(_ first: some StringProtocol) -> Bool {
        first.contains { $0 == "." || $0 == ":" || $0.isUppercase } || first == "localhost"
    }

    /// The first component is a host only where it can't be a user's name: it has a dot or a port, or is localhost.
    private static func split(_ name: Substring) -> (domain: String, path: String) {
        guard let slash = name.firstIndex(of: "/") else { return ("docker.io", String(name)) }
        let first = name[..<slash]
        guard isHost(first) else { return ("docker.io", String(name)) }
        return (String(first), String(name[name.index(after: slash)...]))
    }

    /// Whether this may follow the colon.
    package static func isTag(_ tag: some StringProtocol) -> Bool {
        guard let first = tag.utf8.first, tag.utf8.count <= 128, first != 0x2d, first != 0x2e else {
            return false
        }
        return tag.utf8.allSatisfy { isAlphanumeric($0) || $0 == 0x2d || $0 == 0x2e || $0 == 0x5f }
    }

    private static func isDomain(_ domain: String) -> Bool {
        var host = domain[...]
        if let colon = domain.lastIndex(of: ":"), !domain[colon...].contains("]") {
            let port = domain[domain.index(after: colon)...]
            guard let number = UInt16(port), number > 0 else { return false }
            host = domain[..<colon]
        }
        if host.hasPrefix("["), host.hasSuffix("]") {
            let address = host.dropFirst().dropLast().utf8
            return !address.isEmpty && address.allSatisfy { isAlphanumeric($0) || $0 == 0x3a }
        }
        return host.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
            guard let first = label.utf8.first, let last = label.utf8.last else { return false }
            return isAlphanumeric(first) && isAlphanumeric(last)
                && label.utf8.allSatisfy { isAlphanumeric($0) || $0 == 0x2d }
        }
    }

    /// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
    private static func isComponent(_ component: some StringProtocol) -> Bool {
        func isWord(_ byte: UInt8) -> Bool { isAlphanumeric(byte) && !(0x41...0x5a).contains(byte) }
        let bytes = Array(component.utf8)
        guard let first = bytes.first, let last = bytes.last, isWord(first), isWord(last) else {
            return false
        }
        return bytes.split(whereSeparator: isWord).allSatisfy { separator in
            separator == [0x2e] || separator == [0x5f] || separator == [0x5f, 0x5f]
                || separator.allSatisfy { $0 == 0x2d }
        }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
        default: false
        }
    }
}

extension ImageReference: CustomStringConvertible {
    /// The complete name, as the store has it: `docker.io/library/debian:latest`.
    package var description: String { name + suffix }
}
