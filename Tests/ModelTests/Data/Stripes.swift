import Linux
import MountFixtures
import SystemPackage

import Glibc

/// One of several writers to one file, each with ranges that begin and end in the middle of pages.
final class Stripes {
    private static let width = 5003
    private let fd: OwnedFD
    private let map: UnsafeMutableRawBufferPointer
    private let model: ModelFile
    private let number: Int
    private let writers: Int

    init(_ path: String, _ bytes: [UInt8], mine number: Int, of writers: Int) throws {
        fd = try OwnedFD.open(FilePath(path), O_RDWR)
        model = ModelFile(bytes)
        (self.number, self.writers) = (number, writers)
        let start = fd.use { mmap(nil, bytes.count, PROT_READ | PROT_WRITE, MAP_SHARED, $0, 0) }
        guard let start, start != MAP_FAILED else { throw Failure("map \(path)", .last) }
        map = UnsafeMutableRawBufferPointer(start: start, count: bytes.count)
    }

    deinit { munmap(map.baseAddress, map.count) }

    /// Reads and writes in this writer's ranges only.
    func run(_ count: Int, seed: UInt64) throws -> Difference? {
        var random = SeededGenerator(seed: seed)
        for done in 1...count {
            let stripe = random.below(map.count / Stripes.width / writers) * writers + number
            let first = random.below(Stripes.width)
            let range = stripe * Stripes.width + first..<stripe * Stripes.width + Stripes.width
            let data = ModelFile.pattern(
                UInt8(truncatingIfNeeded: random.next()),
                at: range.lowerBound,
                count: range.count
            )
            let part = UnsafeMutableRawBufferPointer(rebasing: map[range])
            switch random.below(6) {
            case 0, 1:
                try data.withUnsafeBytes { try fd.writeAll($0, at: UInt64(range.lowerBound)) }
                model.write(data, at: range.lowerBound)
            case 2:
                part.copyBytes(from: data)
                model.write(data, at: range.lowerBound)
            case 3:
                guard part.elementsEqual(model.read(range.lowerBound, range.count)) else {
                    return Difference(count: done, description: "bytes \(range) of the mapping")
                }
            case 4: _ = fd.use { posix_fadvise($0, 0, 0, POSIX_FADV_DONTNEED) }
            default:
                var found = [UInt8](repeating: 0, count: range.count)
                _ = try found.withUnsafeMutableBytes {
                    try fd.readFully(into: $0, at: UInt64(range.lowerBound))
                }
                guard found.elementsEqual(model.read(range.lowerBound, range.count)) else {
                    return Difference(count: done, description: "bytes \(range)")
                }
            }
        }
        return nil
    }
}
