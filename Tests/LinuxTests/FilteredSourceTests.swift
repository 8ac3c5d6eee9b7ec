import Linux
import Testing

import Glibc

@Suite(.timeLimit(.minutes(40))) struct `A stream that a program filters` {
    private func filtered(_ arguments: [String], _ input: some ByteSource) throws -> [UInt8] {
        let source = try FilteredSource(
            arguments,
            input,
            memory: 256 << 20,
            failing: Failure("the program did not like it")
        )
        var bytes: [UInt8] = []
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
        defer { buffer.deallocate() }
        while case let count = try source.read(into: buffer), count > 0 { bytes += buffer[..<count] }
        return bytes
    }

    private func text(_ arguments: String...) throws -> String {
        String(decoding: try filtered(arguments, MemorySource([])), as: UTF8.self)
    }

    @Test func `comes out as the program makes it, whatever its size`() throws {
        let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        let isSame = try filtered(["/bin/cat"], MemorySource(bytes)) == bytes
        #expect(isSame)
        // One that reads nothing.
        #expect(try filtered(["/bin/echo", "a"], MemorySource(bytes)) == Array("a\n".utf8))
    }

    @Test func `is a program's that has no files, no environment, no rights and little memory`() throws {
        #expect(try text("/usr/bin/env") == "")
        #expect(try text("/bin/ls", "/proc/self/fd") == "0\n1\n2\n3\n")
        #expect(try text("/bin/sh", "-c", "ulimit -v; ulimit -f; ulimit -c") == "262144\n0\n0\n")
        #expect(try text("/bin/grep", "NoNewPrivs", "/proc/self/status") == "NoNewPrivs:\t1\n")
        guard geteuid() == 0 else { return }
        #expect(try text("/usr/bin/id", "-u") == "65534\n")
        #expect(try text("/usr/bin/id", "-G") == "65534\n")
        #expect(try text("/bin/grep", "CapEff", "/proc/self/status") == "CapEff:\t0000000000000000\n")
        #expect(try text("/bin/grep", "CapBnd", "/proc/self/status") == "CapBnd:\t0000000000000000\n")
    }

    @Test func `fails where the program does, or where there is no more of it`() throws {
        for program in ["exit 3", "echo some; kill -9 $$"] {
            let failure = #expect(throws: Failure.self) {
                try filtered(["/bin/sh", "-c", program], MemorySource([1, 2, 3]))
            }
            #expect(failure?.message == "the program did not like it")
        }
        let failure = #expect(throws: Failure.self) { try filtered(["/bin/cat"], BrokenSource()) }
        #expect(failure?.message == "the disk is gone")
    }
}

private struct BrokenSource: ByteSource {
    mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        throw Failure("the disk is gone")
    }
}
