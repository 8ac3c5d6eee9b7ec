import Digests
import Foundation
import Layers
import Linux
import Synchronization
import SystemPackage
import Tar
import Testing

import Glibc

/// A tar that is made while it is read: one file of zeros, as large as wanted.
private struct Endless: ByteSource {
    private var head: [UInt8]
    private var zeros: UInt64

    init(size: UInt64) throws {
        final class Output { var bytes: [UInt8] = [] }
        let output = Output()
        var writer = TarWriter { output.bytes += $0 }
        try writer.add(TarEntry(path: [0x78], kind: .file, size: size))
        try? writer.finish()
        // The header is still in the writer's buffer: pushed out by the next full buffer.
        try [UInt8](repeating: 0, count: 1 << 16).withUnsafeBytes { try writer.write($0) }
        head = Array(output.bytes.prefix(512))
        zeros = size + (512 - size % 512) % 512 + 1024
    }

    mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        if !head.isEmpty {
            let count = min(head.count, buffer.count)
            buffer.copyBytes(from: head[..<count])
            head.removeFirst(count)
            return count
        }
        let count = Int(min(UInt64(buffer.count), zeros))
        UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]).initializeMemory(
            as: UInt8.self,
            repeating: 0
        )
        zeros -= UInt64(count)
        return count
    }
}

@Suite(.timeLimit(.minutes(40))) struct `Memory` {
    @Test func `of an import does not grow with a file`() throws {
        // Other tests take memory of this process as well, but not in each of several imports, nor what a file has.
        let size = 600 << 20
        var least = Int.max
        for _ in 0..<10 where least >= 64 << 20 {
            let store = try TestStore()
            let before = resident()
            let peak = Mutex(before)
            let isDone = Mutex(false)
            let watcher = try WorkerThread {
                while !isDone.withLock({ $0 }) {
                    let now = resident()
                    peak.withLock { $0 = max($0, now) }
                    usleep(1000)
                }
            }
            let staged = try LayerImport(layout: store.layout)
                .stage(Endless(size: UInt64(size)), named: "test", expecting: Expectation())
            staged.discard()
            isDone.withLock { $0 = true }
            watcher.join()
            least = min(least, peak.withLock { $0 } - before)
        }
        #expect(least < 64 << 20)
    }

    @Test func `and time of a file with a hole of terabytes are those of its data`() throws {
        let store = try TestStore()
        let size: UInt64 = 8 << 40
        var block: [UInt8] = []
        for record in [
            "GNU.sparse.major=1", "GNU.sparse.minor=0", "GNU.sparse.realsize=\(size)", "GNU.sparse.name=s",
        ] {
            let length = record.utf8.count + 4
            block += Array("\(length) \(record)\n".utf8)
        }
        let map = Array("1\n\(size - 4)\n4\n".utf8)
        final class Output { var bytes: [UInt8] = [] }
        let output = Output()
        var writer = TarWriter { output.bytes += $0 }
        try writer.add(TarEntry(path: Array("pax".utf8), kind: .file), content: block)
        try writer.add(
            TarEntry(path: [0x78], kind: .file),
            content: map + [UInt8](repeating: 0, count: 512 - map.count) + Array("tail".utf8)
        )
        try writer.finish()
        var bytes = output.bytes
        // Make the first entry a PAX header, and its checksum right again: "x" is 0x48 more than "0".
        bytes[156] = UInt8(ascii: "x")
        let sum = bytes[..<512].enumerated().reduce(0) {
            $0 + ((148..<156).contains($1.offset) ? 32 : Int($1.element))
        }
        let octal = String(sum, radix: 8)
        bytes.replaceSubrange(
            148..<154,
            with: Array((String(repeating: "0", count: 6 - octal.count) + octal).utf8)
        )
        bytes[154] = 0
        let staged = try store.load(bytes)
        #expect(staged.contentSize == 4)
        #expect(try store.tree(staged.diffID)["s"]?.record.size == size)
        #expect(try store.export(staged.diffID) == bytes)
    }

    /// Imports the layer that MICA_LAYER names, compares its export, and prints what both took.
    @Test(.enabled(if: ProcessInfo.processInfo.environment["MICA_LAYER"] != nil, "set MICA_LAYER to a layer"))
    func `and time of a real layer`() throws {
        let path = FilePath(ProcessInfo.processInfo.environment["MICA_LAYER"] ?? "")
        let store = try TestStore()
        let clock = ContinuousClock()
        var staged: StagedLayer?
        let importing = try clock.measure {
            staged = try LayerImport(layout: store.layout)
                .stage(FileSource(OwnedFD.open(path, 0)), named: path.string, expecting: Expectation())
        }
        let layer = try #require(staged)
        let publishing = try clock.measure { try layer.publish() }
        let peak = residentPeak()
        var size: UInt64 = 0
        let exporting = try clock.measure {
            try LayerExport(layout: store.layout).write(layer.diffID) { size += UInt64($0.count) }
        }
        #expect(size == layer.tarSize)
        print(
            "\(layer.diffID): \(layer.entries) entries, tar \(layer.tarSize), contents \(layer.contentSize);",
            "import \(importing), publish \(publishing), export \(exporting), peak \(peak >> 20) MiB"
        )
        for name in ["index", "pack", "recipe"] {
            print(name, try store.layout.layer(layer.diffID).appending(name).status().st_size)
        }
    }
}

/// VmHWM in bytes.
private func residentPeak() -> Int { status("VmHWM:") }

/// VmRSS in bytes.
private func resident() -> Int { status("VmRSS:") }

private func status(_ name: String) -> Int {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix(name) } ?? ""
    return (line.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) << 10
}
