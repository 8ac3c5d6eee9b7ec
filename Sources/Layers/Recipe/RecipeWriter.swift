import Linux
import Digests
import SystemPackage

import CCodecs

/// Writes a recipe while the tar is read. A class, because the tar's reader calls it for literals and the import for
/// contents, in the order of the tar.
final class RecipeWriter {
    private let fd: OwnedFD
    private let context: OpaquePointer
    /// Bytes of the tar since the last content.
    private var literal: [UInt8] = []
    private var instructions: [UInt8] = []
    private let output = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 17, alignment: 16)
    private var bodySize: UInt64 = 0
    private var object: Digest?

    /// Headers are so repetitive that a higher level saves hardly more.
    private static let level: CInt = 3

    /// Takes `fd`, an empty file open for writing.
    init(_ fd: consuming OwnedFD) throws {
        guard let context = ZSTD_createCCtx() else { throw Failure("write a recipe", .noMemory) }
        ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, Self.level)
        ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
        self.context = context
        self.fd = fd
        literal.reserveCapacity(RecipeFormat.literalLimit)
        try self.fd.writeAll([UInt8](repeating: 0, count: RecipeFormat.headerSize))
    }

    deinit {
        ZSTD_freeCCtx(context)
        output.deallocate()
    }

    func literal(_ bytes: UnsafeRawBufferPointer) throws {
        var rest = bytes
        while !rest.isEmpty {
            let piece = rest.prefix(RecipeFormat.literalLimit - literal.count)
            literal.append(contentsOf: piece)
            rest = UnsafeRawBufferPointer(rebasing: rest[piece.count...])
            if literal.count == RecipeFormat.literalLimit { try flushLiteral() }
        }
    }

    func packed(at offset: UInt64, count: UInt64) throws {
        try add(.packed, offset, count)
    }

    func object(_ digest: Digest, at offset: UInt64, count: UInt64) throws {
        if object != digest {
            try flushLiteral()
            instructions.append(RecipeFormat.Instruction.object.rawValue)
            instructions += digest.bytes
            object = digest
        }
        try add(.range, offset, count)
    }

    private func add(_ instruction: RecipeFormat.Instruction, _ offset: UInt64, _ count: UInt64) throws {
        if count == 0 { return }
        try flushLiteral()
        instructions.append(instruction.rawValue)
        RecipeFormat.append(offset, to: &instructions)
        RecipeFormat.append(count, to: &instructions)
    }

    private func flushLiteral() throws {
        if !literal.isEmpty {
            instructions.append(RecipeFormat.Instruction.literal.rawValue)
            RecipeFormat.append(UInt64(literal.count), to: &instructions)
            instructions += literal
            literal.removeAll(keepingCapacity: true)
        }
        if instructions.count >= RecipeFormat.literalLimit { try compress(ZSTD_e_continue) }
    }

    private func compress(_ directive: ZSTD_EndDirective) throws {
        try instructions.withUnsafeBytes { bytes in
            var from = ZSTD_inBuffer(src: bytes.baseAddress, size: bytes.count, pos: 0)
            while true {
                var to = ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
                let left = ZSTD_compressStream2(context, &to, &from, directive)
                guard ZSTD_isError(left) == 0 else {
                    throw Failure("compress a recipe: \(String(cString: ZSTD_getErrorName(left)))")
                }
                bodySize += UInt64(to.pos)
                try fd.writeAll(UnsafeRawBufferPointer(rebasing: output[..<to.pos]))
                if directive == ZSTD_e_end ? left == 0 : from.pos == from.size { break }
            }
        }
        instructions.removeAll(keepingCapacity: true)
    }

    /// Completes the file. Does not sync.
    func finish(diffID: Digest, tarSize: UInt64) throws {
        try flushLiteral()
        instructions.append(RecipeFormat.Instruction.end.rawValue)
        try compress(ZSTD_e_end)
        let header = RecipeHeader(diffID: diffID, tarSize: tarSize, bodySize: bodySize)
        try header.encoded().withUnsafeBytes { try fd.writeAll($0, at: 0) }
    }
}
