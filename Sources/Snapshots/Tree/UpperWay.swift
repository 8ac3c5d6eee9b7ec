import Linux
import SystemPackage

import Glibc

/// The directories of an upper from its root down to the one that a walk is in. The last few of them are open: the
/// others are opened again on the way back, so that no tree is too deep for a process's descriptors.
final class UpperWay {
    private static let mostOpen = 32

    private var directories: [UpperDirectory] = []

    /// Walks into `directory`, which is in the one that was entered last; nil: into what is not in the upper.
    func enter(_ directory: UpperDirectory?) {
        guard let directory else { return }
        directories.append(directory)
        let far = directories.count - 1 - UpperWay.mostOpen
        if far >= 0 { directories[far].close() }
    }

    /// Walks back out of `directory`, which was entered last. ESTALE where it has been moved meanwhile.
    func leave(_ directory: UpperDirectory?) throws(Errno) {
        guard directory != nil, let left = directories.popLast() else { return }
        if let above = directories.last, !above.isOpen { try above.open(from: left) }
    }
}
