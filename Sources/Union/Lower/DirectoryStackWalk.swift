import CLinux
import Glibc
import Linux
import Overlay
import SystemPackage

/// Finds what the layers contribute under one name, from the top down, as the kernel's overlayfs does
/// (fs/overlayfs/namei.c): a redirect says under which name the layers below have it.
struct StackWalk {
    struct Found {
        let piece: StackPiece
        let file: OpenFile
        let marks: FileMarks
    }

    private let layers: [StackLayer]
    private let marks: OverlayMarks
    private let isDirectory: Bool
    /// The directory that the walk starts in, if it has a number, and where it may be open.
    private let start: (directory: UInt32, open: OpenPieces)?
    /// The directories to look in, top first; the roots of all layers after an absolute redirect.
    private var sources: [StackPiece]
    private var next: Int
    /// Positions in `sources` that are known to have the name; nil, for unknown, after a redirect.
    private var candidates: [UInt16]?
    private var wanted: [[UInt8]]
    private var isAbsolute = false
    private var isStopped = false

    /// Looks for `name` in the directory that `sources` make up, from its piece `first` on.
    init(
        _ name: [UInt8],
        in sources: [StackPiece],
        start: (directory: UInt32, open: OpenPieces)? = nil,
        from first: Int = 0,
        candidates: [UInt16]? = nil,
        isDirectory: Bool,
        layers: [StackLayer],
        marks: OverlayMarks
    ) {
        wanted = [name]
        self.start = start
        self.sources = sources
        next = first
        self.candidates = candidates
        self.isDirectory = isDirectory
        self.layers = layers
        self.marks = marks
    }

    /// The next piece below that has the name; nil where there is none.
    mutating func step() throws(Errno) -> Found? {
        while !isStopped, next < sources.count {
            let source = sources[next]
            next += 1
            if let candidates, !candidates.contains(UInt16(truncatingIfNeeded: next - 1)) { continue }
            guard let found = try find(in: source) else { continue }
            return found
        }
        return nil
    }

    /// Applies a file's marks to the walk: it ends there, or goes on under another name.
    mutating func apply(_ marks: FileMarks, rest: Int, layer: Int) {
        if marks.opaque == .yes { isStopped = true }
        guard let redirect = marks.redirect, !redirect.isEmpty else { return }
        let components = redirect.split(separator: UInt8(ascii: "/")).map(Array.init)
        candidates = nil
        if redirect.first == UInt8(ascii: "/") {
            wanted = components + wanted.suffix(rest)
            // An absolute redirect leads out of a directory that was opaque above.
            isStopped = false
            if !isAbsolute {
                isAbsolute = true
                sources = layers.indices.map { StackPiece(layer: $0, path: []) }
                next = layer + 1
            }
        } else {
            wanted = wanted.dropLast(rest + 1) + components + wanted.suffix(rest)
        }
    }

    private mutating func find(in source: StackPiece) throws(Errno) -> Found? {
        var piece = source
        var rest = wanted.count
        while rest > 0 {
            rest -= 1
            let isLast = rest == 0
            let name = wanted[wanted.count - 1 - rest]
            if candidates == nil, try isHidden(name, in: piece) {
                isStopped = true
                return nil
            }
            let child = StackPiece(layer: piece.layer, path: piece.path(of: name))
            let file: OpenFile
            do throws(Errno) {
                if isDirectory, candidates != nil, let start,
                    let above = start.open.find(start.directory, in: piece.layer)
                {
                    // No redirect was met: the name is in the directory itself.
                    file = OpenFile(
                        try layers[piece.layer].open(name, in: above, O_RDONLY | O_DIRECTORY)
                    )
                } else if isDirectory || !isLast {
                    file = OpenFile(try layers[piece.layer].open(child.path, O_RDONLY | O_DIRECTORY))
                } else {
                    // Only a regular file may be opened: opening a device may have effects.
                    let status = try layers[piece.layer].open(child.path, O_PATH).status()
                    guard status.st_mode & S_IFMT == S_IFREG else { throw Errno.notDirectory }
                    file = OpenFile(try layers[piece.layer].open(child.path, O_RDONLY | O_NONBLOCK))
                }
            } catch {
                switch error {
                case .noSuchFileOrDirectory, .fileNameTooLong: return nil
                case .notDirectory, .tooManySymbolicLinkLevels:
                    // The name is that of something else, through which nothing below shows.
                    isStopped = true
                    return nil
                default: throw error
                }
            }
            let marks = try FileMarks(stacked: file, self.marks)
            apply(marks, rest: rest, layer: piece.layer)
            if isLast {
                if !isDirectory, marks.data.isHere { isStopped = true }
                return Found(piece: child, file: file, marks: marks)
            }
            piece = child
        }
        return nil
    }

    /// Whether a `.wh.` file beside the name hides it, and with it everything below.
    private func isHidden(_ name: [UInt8], in piece: StackPiece) throws(Errno) -> Bool {
        let path = piece.path(of: ForeignMarks.whiteoutPrefix + name)
        do throws(Errno) {
            let status = try layers[piece.layer].open(path, O_PATH).status()
            return ForeignMarks.canBeWhiteout(status)
        } catch {
            guard error == .noSuchFileOrDirectory || error == .fileNameTooLong else { throw error }
            return false
        }
    }
}
