import Digests

/// The recipe file, version 1: how to make a layer's tar again, byte for byte. Little-endian.
///
/// ```
/// header  96 bytes: "micarcp\n" · version u32 · CRC-32C u32 of the header with this field zero ·
///         diffID 32 bytes · size of the tar u64 · size of the body u64 · zeros
/// body    one zstd frame with its checksum, of instructions: a byte, then what it needs; numbers are LEB128
///   0             the end
///   1 n bytes…    n bytes of the tar as they are: headers, padding, what follows the end
///   2 at n        n bytes of the layer's pack from `at`
///   3 digest      the object that 4 reads from (32 bytes)
///   4 at n        n bytes of that object from `at`
/// ```
/// Objects are named, not numbered, so that a recipe can be read without the index.
enum RecipeFormat {
    static let magic: UInt64 = 0x0a70_6372_6163_696d  // "micarcp\n" read little-endian
    static let version: UInt32 = 1
    static let headerSize = 96
    static let checksum = 12

    enum Instruction: UInt8 { case end, literal, packed, object, range }

    /// The longest literal, which the reader holds in memory.
    static let literalLimit = 1 << 16

    /// A number takes at most ten bytes.
    static func append(_ number: UInt64, to bytes: inout [UInt8]) {
        var rest = number
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }
}
