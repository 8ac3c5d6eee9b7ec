import Linux
import MountFixtures
import SystemPackage
import Testing

import CLinux
import Glibc

/// The power of the upper's disk is cut while files are written, most of them for the first time: what was synced is
/// there, and every other byte is one that it has been since, or the lower's.
@Suite(.timeLimit(.minutes(Effort.minutes)), .enabled(if: geteuid() == 0, "mounts"))
struct `After a power cut, data` {
    private static let files = 12
    /// In bytes: packed in an image, and an object of its own there.
    private static let sizes = [9000, 200_000]
    private static let rounds = 3
    let workspace: Workspace

    init() throws { workspace = try Workspace() }

    /// Each way in which a file comes to the upper, on filesystems that can lose their power.
    static let cases: [Case] = {
        let ways: [(LowerForm, [String])] = [
            (.image, []), (.image, ["-o", "metacopy=off"]), (.directory, ["-o", "metacopy=on"]),
            (.image, ["-o", "io=passthrough"]), (.image, ["-o", "fill=idle"]),
        ]
        let filesystems = Filesystem.journalled
        return Effort.seeds.flatMap { seed in
            ways.enumerated().map { number, way in
                // Each way on each, with the seeds.
                let filesystem = filesystems[(number + Int(seed)) % filesystems.count]
                return Case(form: way.0, options: way.1, filesystem: filesystem, seed: seed)
            }
        }
    }()

    @Test(arguments: cases) func `is what was synced, or newer`(test: Case) throws {
        let root = try workspace.directory("lower")
        var models: [UnsyncedFile] = []
        for number in 0..<Self.files {
            let bytes = ModelFile.pattern(UInt8(number), at: 0, count: Self.sizes[number % 2])
            try OwnedFD.open(FilePath("\(root)/\(number)"), O_WRONLY | O_CREAT, mode: 0o644).writeAll(bytes)
            models.append(UnsyncedFile(bytes))
        }
        let disk = try LoopDisk(in: workspace, test.filesystem ?? .ext4)
        // Beside the upper, where there are such, it shares the image's blocks.
        let place = test.seed.isMultiple(of: 2) ? try Workspace(in: disk.path) : workspace
        defer { withExtendedLifetime(place) {} }
        let lower = try Lower(root, as: test.form, in: place)
        let mount = try LayeredMount(lower, in: workspace, uppers: disk.path, options: test.options)
        sync()
        var random = SeededGenerator(seed: test.seed ^ 0xc07)
        for round in 0..<Self.rounds {
            for _ in 0..<30 + random.below(60) {
                try perform(&random, models, at: mount.path)
            }
            // Where it was not synced, the journal may have brought it all the same, or a part.
            if random.below(2) == 0 {
                let directory = try OwnedFD.open(FilePath(mount.path), O_RDONLY | O_DIRECTORY)
                try directory.synchronize()
            }
            try mount.kill { try disk.cutPower() }
            try disk.unmount()
            try disk.mount()
            try mount.mount()
            for number in models.indices {
                let path = FilePath("\(mount.path)/\(number)")
                let bytes = try OwnedFD.open(path, O_RDONLY).contents(limit: 1 << 20)
                let problem = models[number].problem(with: bytes)
                #expect(
                    problem == nil,
                    "\(test.testDescription), round \(round), file \(number): \(problem ?? "")"
                )
                models[number] = UnsyncedFile(bytes)
            }
        }
        try mount.unmount()
    }

    private func perform(
        _ random: inout SeededGenerator,
        _ models: [UnsyncedFile],
        at path: String
    ) throws {
        let number = random.below(Self.files)
        let file = try OwnedFD.open(FilePath("\(path)/\(number)"), O_RDWR)
        let model = models[number]
        switch random.below(12) {
        case 0:
            let size = random.below(250_000)
            try file.truncate(to: UInt64(size))
            model.change("truncate \(size)") { $0.truncate(to: size) }
        case 1:
            try file.use { raw throws(Errno) in _ = try Errno.check(fchmod(raw, 0o600)) }
            model.change("chmod") { _ in }
        case 2:
            // In the middle, to the end, or beyond it.
            let (offset, count) = (random.below(200_000), 1 + random.below(50_000))
            let mode = random.pick([3, 16, 17] as [CInt])
            let code = file.use { clinux_fallocate($0, mode, Int64(offset), Int64(count)) }
            guard code >= 0 else { throw Errno(rawValue: -code) }
            model.change("fallocate \(mode) \(offset) \(count)") {
                $0.allocate(mode: mode, offset: offset, length: count)
            }
        case 3, 4:
            try file.synchronize()
            model.wasSynced()
        case 5:
            try file.use { raw throws(Errno) in _ = try Errno.check(fdatasync(raw)) }
            model.wasSynced()
        default:
            let (offset, count) = (random.below(200_000), 1 + random.below(9000))
            let data = ModelFile.pattern(UInt8(truncatingIfNeeded: random.next()), at: offset, count: count)
            try data.withUnsafeBytes { try file.writeAll($0, at: UInt64(offset)) }
            model.change("write \(offset) \(count)") { $0.write(data, at: offset) }
        }
    }
}

/// A file, and all that it has been since it was synced: what may be there after a power cut.
private final class UnsyncedFile {
    private var states: [[UInt8]]
    private let model: ModelFile
    /// In words, for the search for what was wrong.
    private var history: [String] = []

    init(_ bytes: [UInt8]) {
        states = [bytes]
        model = ModelFile(bytes)
    }

    func change(_ what: String, _ body: (ModelFile) -> Void) {
        body(model)
        history.append(what)
        if states.last != model.bytes { states.append(model.bytes) }
    }

    func wasSynced() {
        history.append("sync")
        states = [model.bytes]
    }

    /// What of `bytes` can't be. A byte beyond the end of any of the states may be zero: the file's length may be there
    /// before its data.
    func problem(with bytes: [UInt8]) -> String? {
        let sizes = states.map(\.count)
        let (least, most) = (sizes.min() ?? 0, sizes.max() ?? 0)
        guard least...most ~= bytes.count else { return "\(bytes.count) bytes, not \(least) to \(most)" }
        for (position, byte) in bytes.enumerated() {
            if states.contains(where: { position < $0.count && $0[position] == byte }) { continue }
            if position >= least, byte == 0 { continue }
            let possible = states.map { position < $0.count ? "\($0[position])" : "-" }
            return "byte \(position) is \(byte), not one of \(possible.joined(separator: " ")), after "
                + history.joined(separator: ", ")
        }
        return nil
    }
}
