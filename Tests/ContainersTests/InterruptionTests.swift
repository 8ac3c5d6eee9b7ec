import ContainerFixtures
import Foundation
import Layers
import Linux
import Snapshots
import SystemPackage
import Testing

import Glibc

@Suite(
    .timeLimit(.minutes(40)),
    .enabled(if: MicaCommand.isPossible, "needs root, busybox-static and the built mica")
)
struct `What is interrupted` {
    let box: TestStore
    let mica: MicaCommand

    init() throws {
        box = try TestStore()
        mica = try MicaCommand(box)
    }

    private func wait(_ condition: () throws -> Bool) throws -> Bool {
        for _ in 0..<30_000 {
            if try condition() { return true }
            usleep(20_000)
        }
        return false
    }

    /// Bytes on disk of the objects that are being staged.
    private func staged() throws -> [Int] {
        try box.layout.tmp.names().flatMap { name in
            let objects = box.layout.tmp.appending(String(decoding: name, as: UTF8.self)).appending("objects")
            return try ((try? objects.names()) ?? []).map {
                Int(try objects.appending(String(decoding: $0, as: UTF8.self)).status().st_blocks) * 512
            }
        }
    }

    /// Half a layer, and what waits for the rest of it.
    private func importHalf() throws -> (process: Process, input: Foundation.Pipe) {
        let file = box.root.base.appending("large")
        try OwnedFD.open(file, O_WRONLY | O_CREAT, mode: 0o644)
            .writeAll((0..<(8 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 7 ^ $0 >> 9) })
        let tar = Process()
        tar.executableURL = URL(fileURLWithPath: "/bin/tar")
        tar.arguments = [
            "-C", box.root.base.string, "-cf", box.root.base.appending("tar").string, "large", "rootfs",
        ]
        try tar.run()
        tar.waitUntilExit()
        let bytes = try OwnedFD.open(box.root.base.appending("tar"), O_RDONLY).contents(limit: 1 << 28)

        let process = mica.process(["import", "-q", "-", "half"])
        let input = Foundation.Pipe()
        process.standardInput = input
        process.standardError = FileHandle.nullDevice
        try process.run()
        try input.fileHandleForWriting.write(contentsOf: Data(bytes.prefix(6 << 20)))
        // What came is in the pipe, read, or written; nothing more will come.
        try #require(wait { try staged().contains { $0 > 4 << 20 } })
        return (process, input)
    }

    @Test(arguments: [SIGINT, SIGTERM, SIGHUP]) func `import takes away what is half done`(_ signal: CInt)
        throws
    {
        let (process, input) = try importHalf()
        kill(process.processIdentifier, signal)
        process.waitUntilExit()
        #expect(process.terminationReason == .uncaughtSignal)
        #expect(process.terminationStatus == signal)
        try #expect(box.layout.tmp.names().isEmpty)
        try #expect(box.layout.layers.names().isEmpty)
        _ = input
    }

    /// Whether a process has a file of `directory` open, with a name or without one.
    private func isWriting(_ process: pid_t, in directory: FilePath) throws -> Bool {
        let files = FilePath("/proc/\(process)/fd")
        return try files.names().contains { name in
            let file = files.appending(String(decoding: name, as: UTF8.self)).string
            let target = try? FileManager.default.destinationOfSymbolicLink(atPath: file)
            return target?.hasPrefix("\(directory)/") == true
        }
    }

    @Test func `save leaves nothing beside the file that it was to write`() throws {
        let (whole, input) = try importHalf()
        try input.fileHandleForWriting.close()
        whole.waitUntilExit()
        try #require(mica("import", "-q", box.root.base.appending("tar").string, "whole").status == 0)
        let directory = box.root.base.appending("saved")
        try directory.makeDirectory()
        // What it waits for never comes: it ends in the middle, however fast it is.
        for shard in try box.layout.objects.names() {
            let shard = box.layout.objects.appending(String(decoding: shard, as: UTF8.self))
            for name in try shard.names() {
                let object = shard.appending(String(decoding: name, as: UTF8.self))
                try object.unlink()
                try Errno.check(mkfifo(object.string, 0o600))
            }
        }
        let process = mica.process(["save", "-o", directory.appending("out.tar").string, "whole"])
        try process.run()
        try #require(wait { try isWriting(process.processIdentifier, in: directory) })
        kill(process.processIdentifier, SIGINT)
        process.waitUntilExit()
        #expect(process.terminationReason == .uncaughtSignal)
        try #expect(directory.names().isEmpty)
    }

    @Test func `what a killed import leaves is counted by the collector`() throws {
        let (process, input) = try importHalf()
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        let dry = try mica("gc", "-n").output
        #expect(dry.contains("1 temporary file"), "\(dry)")
        #expect(!dry.contains(" 0B"))
        try #expect(!box.layout.tmp.names().isEmpty)
        let collected = try mica("gc").output
        #expect(collected == dry.replacingOccurrences(of: "Would free", with: "Freed"))
        try #expect(box.layout.tmp.names().isEmpty)
        _ = input
    }

    /// A mount that is killed before it answers; its snapshot's key.
    private func killStartingMount(_ options: [String]) throws -> String {
        let micafs = box.root.base.appending("micafs")
        let pid = box.root.base.appending("pid")
        let script = "#!/bin/sh\necho $$ > \(pid).new; mv \(pid).new \(pid); exec sleep 1000\n"
        try Script.write(Data(script.utf8), to: micafs)
        let before = try Set(box.store.snapshots().map(\.key))
        let process = mica.process(["mount", "--rw"] + options + ["box", box.root.outside.string])
        try process.run()
        try #require(wait { pid.exists })
        // While it starts, no collection may take it.
        try #expect(mica("snapshot", "ls").status == 0)
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        let text = try OwnedFD.open(pid, O_RDONLY).contents(limit: 64)
        let daemon = try #require(Int32(String(decoding: text.dropLast(), as: UTF8.self)))
        kill(daemon, SIGKILL)
        try #require(wait { try box.store.mounts().allSatisfy { !$0.isLive } })
        try pid.unlink()
        _ = try MicaCommand(box)  // the working one again
        let new = try box.store.snapshots().map(\.key).filter { !before.contains($0) }
        return try #require(new.first)
    }

    private func keys() throws -> [String] {
        try box.store.snapshots().filter { $0.kind == .active }.map(\.key)
    }

    @Test func `a mount that was killed while it started leaves no snapshot to the collector`() throws {
        let key = try killStartingMount([])
        let explained = try mica("gc", "-n", "--explain").output
        #expect(explained.contains(key))
        #expect(explained.contains("killed while it started"))
        try #expect(keys() == [key])
        try #expect(mica("gc").status == 0)
        try #expect(keys() == [])
        try #expect(box.layout.snapshots.names().isEmpty)
    }

    @Test func `nor to the next mount`() throws {
        let key = try killStartingMount([])
        let outside = box.root.outside.string
        try #expect(mica("mount", "--rw", "box", outside).status == 0)
        try #expect(mica("umount", outside).status == 0)
        let left = try keys()
        #expect(left.count == 1)
        #expect(!left.contains(key))
        // This one did answer: it is its user's, though nothing was written.
        try #expect(mica("gc").status == 0)
        try #expect(keys() == left)
        try #expect(box.store.snapshot(left[0]).labels.isEmpty)
    }

    @Test func `one that a user named stays, and so does one that holds data`() throws {
        try #expect(killStartingMount(["--name", "mine"]) == "mine")
        let key = try killStartingMount([])
        let file = try box.layout.snapshot(box.store.snapshot(key).id).appending("upper/data")
        _ = try OwnedFD.open(file, O_WRONLY | O_CREAT, mode: 0o644)
        try #expect(mica("gc").status == 0)
        try #expect(Set(keys()) == ["mine", key])
        #expect(file.exists)
    }
}
