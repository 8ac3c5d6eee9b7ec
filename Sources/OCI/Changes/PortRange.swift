import Linux

/// A port of EXPOSE: `80`, `53/udp`, `8000-8010/tcp`. Of `127.0.0.1:80:8080`, which docker accepts, too, only the
/// container's port counts for an image.
struct PortRange {
    /// Each as `80/tcp`.
    let ports: [String]

    init(_ text: String, of instruction: ConfigChange.Instruction) throws {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        let kind = parts.count == 2 ? parts[1].lowercased() : "tcp"
        guard parts.count <= 2, ["tcp", "udp", "sctp"].contains(kind) else {
            throw instruction.failure(
                "\"\(text)\" is not a port: expected one like 80/tcp, of tcp, udp or sctp"
            )
        }
        let numbers = (parts[0].split(separator: ":").last ?? "").split(
            separator: "-",
            omittingEmptySubsequences: false
        )
        guard (1...2).contains(numbers.count), let first = numbers.first.flatMap(PortRange.number),
            let last = numbers.last.flatMap(PortRange.number), first <= last
        else { throw instruction.failure("\"\(text)\" is not a port or a range of ports") }
        ports = (first...last).map { "\($0)/\(kind)" }
    }

    private static func number(_ text: Substring) -> UInt16? {
        text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? UInt16(text) : nil
    }
}
