import Linux
import Digests
import SystemPackage

import Glibc

/// Reads a recipe's instructions. Whatever the file holds, memory stays bounded and an error is a `Failure`.
final class RecipeReader {
    enum Step {
        case literal([UInt8])
        case packed(at: UInt64, count: UInt64)
        case object(Digest, at: UInt64, count: UInt64)
    }

    let header: RecipeHeader
    private let path: FilePath
    private var source: Decompressor
    private var buffer = [UInt8](repeating: 0, count: 1 << 16)
    private var window = 0..<0
    private var object: Digest?

    init(_ path: FilePath) throws {
        self.path = path
        let fd = try naming("open the recipe \(path)") { try OwnedFD.open(path, O_RDONLY) }
        let fileSize = UInt64(try naming("read the recipe \(path)") { try fd.status().st_size })
        var bytes = [UInt8](repeating: 0, count: RecipeFormat.headerSize)
        let count = try naming("read the recipe \(path)") {
            try bytes.withUnsafeMutableBytes { try fd.readFully(into: $0) }
        }
        do {
            header = try RecipeHeader(decoding: Array(bytes[..<count]), fileSize: fileSize)
        } catch {
            throw Failure("the recipe \(path) is damaged: \(error.reason)")
        }
        source = Decompressor(FileSource(fd), named: "the recipe \(path) is damaged")
        guard try source.format() == .zstd else { throw damaged("its body is not compressed") }
    }

    func damaged(_ reason: String) -> Failure { Failure("the recipe \(path) is damaged: \(reason)") }

    /// The next piece of the tar; nil at the end.
    func next() throws -> Step? {
        while true {
            switch RecipeFormat.Instruction(rawValue: try byte()) {
            case .end: return nil
            case .literal:
                let count = try number()
                guard count <= UInt64(RecipeFormat.literalLimit) else {
                    throw damaged("a piece of \(count) bytes")
                }
                return .literal(try bytes(Int(count)))
            case .packed: return .packed(at: try number(), count: try number())
            case .object:
                guard let digest = try bytes(Digest.count).withUnsafeBytes({ Digest(bytes: $0) }) else {
                    throw damaged("an object without a name")
                }
                object = digest
            case .range:
                guard let object else { throw damaged("a piece of no object") }
                return .object(object, at: try number(), count: try number())
            case nil: throw damaged("an unknown instruction")
            }
        }
    }

    private func byte() throws -> UInt8 {
        if window.isEmpty {
            let count = try buffer.withUnsafeMutableBytes { try source.read(into: $0) }
            guard count > 0 else { throw damaged("it ends too early") }
            window = 0..<count
        }
        defer { window = window.dropFirst() }
        return buffer[window.lowerBound]
    }

    private func bytes(_ count: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        while bytes.count < count {
            bytes.append(try byte())
            let piece = window.prefix(count - bytes.count)
            bytes += buffer[piece]
            window = window.dropFirst(piece.count)
        }
        return bytes
    }

    private func number() throws -> UInt64 {
        var number: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            let byte = try byte()
            let bits = UInt64(byte & 0x7f)
            guard (bits << shift) >> shift == bits else { break }
            number |= bits << shift
            if byte & 0x80 == 0 { return number }
        }
        throw damaged("a number of more than 64 bits")
    }
}
