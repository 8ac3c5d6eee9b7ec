import Linux
import MountFixtures
import SystemPackage
import Testing

import Glibc

/// micafs is killed while files are written, most of them for the first time: what was answered is there, and what was
/// going on touched no other byte.
@Suite(.timeLimit(.minutes(Effort.minutes)), .enabled(if: geteuid() == 0, "mounts"))
struct `After a kill -9, data` {
    private static let files = 24
    /// In bytes: packed in an image, and an object of its own there.
    private static let sizes = [9000, 200_000]
    let workspace: Workspace

    init() throws { workspace = try Workspace() }

    private enum Operation {
        case write(file: Int, offset: Int, count: Int, fill: UInt8)
        case truncate(file: Int, size: Int)
        case chmod(file: Int, UInt32)
        case synchronize(file: Int)
    }

    @Test(arguments: Case.all) func `is what was answered`(test: Case) throws {
        let root = try workspace.directory("lower")
        var models: [ModelFile] = []
        for number in 0..<Self.files {
            let bytes = ModelFile.pattern(UInt8(number), at: 0, count: Self.sizes[number % 2])
            try OwnedFD.open(FilePath("\(root)/\(number)"), O_WRONLY | O_CREAT, mode: 0o644).writeAll(bytes)
            if number % 5 == 0 { try Errno.check(link("\(root)/\(number)", "\(root)/again\(number)")) }
            models.append(ModelFile(bytes))
        }
        let mount = try LayeredMount(
            Lower(root, as: test.form, in: workspace),
            in: workspace,
            options: test.options
        )
        var random = SeededGenerator(seed: test.seed ^ 0xda7a)
        for round in 0..<6 {
            let daemon = try mount.daemon()
            let pause = UInt32(random.below(20_000))
            let killer = try WorkerThread {
                usleep(pause)
                kill(daemon, SIGKILL)
            }
            var last: Operation?
            for _ in 0..<5000 {
                let operation = next(&random)
                last = operation
                guard try perform(operation, models, at: mount.path) else { break }
                last = nil
            }
            killer.join()
            try mount.unmount()
            try mount.mount()
            let what = "\(test.testDescription), round \(round)"
            for number in models.indices {
                models[number] = try expect(mount.path, number, models[number], last, what)
            }
        }
        try mount.unmount()
    }

    private func next(_ random: inout SeededGenerator) -> Operation {
        let file = random.below(Self.files)
        switch random.below(10) {
        case 0: return .truncate(file: file, size: random.below(250_000))
        case 1, 2: return .chmod(file: file, 0o600 | UInt32(random.below(64)))
        case 3: return .synchronize(file: file)
        default:
            let fill = UInt8(truncatingIfNeeded: random.next())
            return .write(
                file: file,
                offset: random.below(200_000),
                count: 1 + random.below(9000),
                fill: fill
            )
        }
    }

    /// False when the daemon is gone; the model changes only with what was answered.
    private func perform(_ operation: Operation, _ models: [ModelFile], at path: String) throws -> Bool {
        let result: Int
        switch operation {
        case .write(let file, let offset, let count, let fill):
            let data = ModelFile.pattern(fill, at: offset, count: count)
            result = use("\(path)/\(file)") { pwrite($0, data, count, offset) }
            if result == count { models[file].write(data, at: offset) }
        case .truncate(let file, let size):
            result = Int(truncate("\(path)/\(file)", size))
            if result == 0 { models[file].truncate(to: size) }
        case .chmod(let file, let mode): result = Int(Glibc.chmod("\(path)/\(file)", mode))
        case .synchronize(let file): result = use("\(path)/\(file)") { Int(fsync($0)) }
        }
        if case .write(_, _, let count, _) = operation, (0..<count).contains(result) { return false }
        guard result == -1 else { return true }
        let error = Errno.last
        // ECANCELED: it was in a ring when its thread ended.
        if [.socketNotConnected, .connectionAbort, .canceled].contains(error) { return false }
        // A daemon that is killed while it answers: EIO, and from then on the mount is dead.
        var status = statvfs()
        guard error == .ioError, statvfs(path, &status) == -1 else { throw Failure("\(operation)", error) }
        return false
    }

    private func use(_ path: String, _ body: (CInt) -> Int) -> Int {
        let fd = open(path, O_RDWR | O_CLOEXEC)
        guard fd >= 0 else { return -1 }
        let result = body(fd)
        let error = errno
        close(fd)
        errno = error
        return result
    }

    /// What is there now, if it is what it may be.
    private func expect(
        _ path: String,
        _ number: Int,
        _ model: ModelFile,
        _ last: Operation?,
        _ what: String
    ) throws -> ModelFile {
        let bytes = try OwnedFD.open(FilePath("\(path)/\(number)"), O_RDONLY).contents(limit: 1 << 20)
        var sizes = [model.bytes.count]
        // Which bytes may be old or new.
        var open = 0..<0
        switch last {
        case .write(number, let offset, let count, _)?:
            open = offset..<offset + count
            sizes += Array(open) + [open.upperBound]
        case .truncate(number, let size)?: sizes.append(size)
        default: break
        }
        #expect(sizes.contains { $0 == bytes.count }, "\(what), file \(number): \(bytes.count) bytes")
        for position in 0..<min(bytes.count, model.bytes.count) where !open.contains(position) {
            if bytes[position] == model.bytes[position] { continue }
            Issue.record(
                "\(what), file \(number): byte \(position) is wrong, after \(last.map { "\($0)" } ?? "-")"
            )
            break
        }
        if number % 5 == 0 {
            let again = try OwnedFD.open(FilePath("\(path)/again\(number)"), O_RDONLY).contents(
                limit: 1 << 20
            )
            #expect(
                firstDifference(again, from: bytes) == nil,
                "\(what): the names of file \(number) have parted"
            )
        }
        return ModelFile(bytes)
    }
}
