import Linux
import SystemPackage

import Glibc

/// What is copied: a name in an open directory.
struct CopySource: Sendable {
    let directory: OpenFile
    let name: [UInt8]
    let isDirectory: Bool
    /// `DIR/.`: what is in it, without itself.
    let isContents: Bool
    /// Its name as the user gave it, even when a link of that name was followed.
    let ownName: [UInt8]

    init(_ text: String, in root: CopyRoot, _ following: Bool) throws {
        let path = root.path(text)
        do {
            let real = following || path.isDirectory ? try root.followed(path.path) : path.path
            guard let status = try root.status(real) else { throw Errno.noSuchFileOrDirectory }
            isDirectory = status.st_mode & S_IFMT == S_IFDIR
            guard isDirectory || !path.isDirectory else { throw Errno.notDirectory }
            isContents = path.isContents
            ownName = path.name
            if isContents || real.lastComponent?.kind != .regular {
                name = [UInt8(ascii: ".")]
                directory = OpenFile(try root.open(real, O_PATH | O_DIRECTORY))
            } else {
                name = CopyRoot.Path(path: real, isContents: false, isDirectory: false).name
                directory = OpenFile(try root.open(real.removingLastComponent(), O_PATH | O_DIRECTORY))
            }
        } catch let errno as Errno {
            throw Failure("copy \(text)", errno)
        }
    }
}

/// The place and name to copy to.
struct CopyTarget {
    let place: TreeUnpacker.Place
    /// The name of the copy; empty: the contents go into the place itself.
    let name: [UInt8]

    /// docker's rules. `source`: nil for a tar, which is unpacked into a directory.
    init(_ text: String, in root: CopyRoot, for source: CopySource?) throws {
        let path = root.path(text)
        do {
            let real = try root.followed(path.path)
            let status = try root.status(real)
            let isDirectory = status.map { $0.st_mode & S_IFMT == S_IFDIR } ?? false
            if isDirectory {
                name = source.map { $0.isContents ? [] : $0.ownName } ?? []
                place = try CopyTarget.place(real, root)
                return
            }
            guard let source else {
                throw status == nil ? Errno.noSuchFileOrDirectory : Errno.notDirectory
            }
            guard status == nil || !(source.isDirectory || path.isDirectory) else { throw Errno.notDirectory }
            guard source.isDirectory || !path.isDirectory else {
                throw Failure("copy to \(text): there is no such directory", kind: .notFound)
            }
            name = CopyRoot.Path(path: real, isContents: false, isDirectory: false).name
            place = try CopyTarget.place(real.removingLastComponent(), root)
        } catch let errno as Errno {
            throw Failure("copy to \(text)", errno)
        }
    }

    private static func place(_ directory: FilePath, _ root: CopyRoot) throws(Errno) -> TreeUnpacker.Place {
        let opened = OpenFile(try root.open(directory, O_PATH | O_DIRECTORY))
        guard let container = root.container else {
            return TreeUnpacker.Place(root: opened, isRoot: false, path: FilePath())
        }
        return TreeUnpacker.Place(root: container, isRoot: true, path: directory)
    }
}
