import Glibc

/// A port of `EXPOSE`: `80`, `53/udp`, `8000-8010/tcp`. Of `127.0.0.1:80:8080`, which docker accepts, too, only the
/// container's port counts for an image.
struct PortRange {
    /// Each as `80/tcp`.
    let ports: [String]

    /// Throws an error without a place.
    init(_ text: String) throws(DockerfileError) {
        let invalid = DockerfileError(
            "\"\(text)\" is not a port or a range of ports: expected one like 80/tcp, of tcp, udp or sctp"
        )
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        let container = (parts.last ?? "").split(
            separator: "/",
            maxSplits: 1,
            omittingEmptySubsequences: false
        )
        let kind = container.count == 2 && !container[1].isEmpty ? container[1].lowercased() : "tcp"
        guard ["tcp", "udp", "sctp"].contains(kind), let range = PortRange.range(container.first ?? "") else {
            throw invalid
        }
        if parts.count > 1, let host = parts.dropLast().last, !host.isEmpty {
            guard let hosts = PortRange.range(host), range.count == 1 || hosts.count == range.count else {
                throw invalid
            }
        }
        if parts.count > 2 {
            guard PortRange.isAddress(parts.dropLast(2).joined(separator: ":")) else { throw invalid }
        }
        ports = range.map { "\($0)/\(kind)" }
    }

    private static func range(_ text: Substring) -> ClosedRange<UInt16>? {
        let ends = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = ends.first.flatMap(number), let last = ends.last.flatMap(number), first <= last
        else {
            return nil
        }
        return first...last
    }

    private static func number(_ text: Substring) -> UInt16? {
        text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? UInt16(text) : nil
    }

    /// Of IPv4, or of IPv6 with or without brackets; or nothing.
    private static func isAddress(_ text: String) -> Bool {
        if text.isEmpty { return true }
        let inner = text.hasPrefix("[") && text.hasSuffix("]") ? String(text.dropFirst().dropLast()) : text
        var address = in6_addr()
        return withUnsafeMutableBytes(of: &address) { bytes in
            inet_pton(AF_INET, inner, bytes.baseAddress) == 1
                || inet_pton(AF_INET6, inner, bytes.baseAddress) == 1
        }
    }
}
