import CLinux
import Glibc
import Linux
import Overlay
import SystemPackage

/// Changes of data. A write below the limit covers whole blocks: where it covers only part of a block that is
/// a hole, the lower's data is copied there first. The same goes for the block that holds the limit, before
/// anything behind it changes: a filesystem may write zeros into the rest of a file's last block when the
/// file grows, and so turn a hole into data, as Btrfs does (btrfs_cont_expand in fs/btrfs/inode.c).
extension PartialFile {
    /// pwrite(2); returns how many bytes fit.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(FSError) -> Int {
        try change(offset..<offset + UInt64(bytes.count)) { () throws(FSError) in
            try FSError.wrap { () throws(Errno) in
                try file.fd.use { raw throws(Errno) in
                    try Errno.retrying { () -> Int in
                        pwrite(raw, bytes.baseAddress, bytes.count, off_t(offset))
                    }
                }
            }
        }
    }

    /// Runs `body`, which writes into `range` from its start on and returns how many bytes it wrote.
    func change(_ range: Range<UInt64>, _ body: () throws(FSError) -> Int) throws(FSError) -> Int {
        data.lock.share()
        do throws(FSError) {
            let (written, last) = (covered(range), lastBlock(before: range))
            if !data.isUnmarked, try !hasHoles(written), try !hasHoles(last) {
                let count = try body()
                data.lock.unlock()
                return count
            }
        } catch {
            data.lock.unlock()
            throw error
        }
        data.lock.unlock()

        data.lock.lockAlone()
        defer { data.lock.unlock() }
        try unseal()
        try markLimit()
        try fill(lastBlock(before: range))
        try fillEdges(of: range)
        let holes = try holes(in: covered(range))
        do throws(FSError) {
            let count = try body()
            let end = range.lowerBound + UInt64(count)
            if end < range.upperBound { restore(holes, from: end) }
            return count
        } catch {
            restore(holes, from: range.lowerBound)
            throw error
        }
    }

    /// ftruncate(2).
    func truncate(to size: UInt64) throws(FSError) {
        data.lock.lockAlone()
        defer { data.lock.unlock() }
        try unseal()
        if try size > self.size() {
            try markLimit()
            try fill(lastBlock(before: size..<size))
        }
        try FSError.wrap { () throws(Errno) in try file.fd.truncate(to: size) }
        data.lower(to: size)
        // The lower has nothing more to contribute. If the mark can't be removed now, the limit is recorded
        // before the file grows.
        if size == 0 { try? finish() }
    }

    // MARK: - Blocks

    /// The blocks that `range` touches, cut off at the limit.
    private func covered(_ range: Range<UInt64>) -> Range<UInt64> {
        let (limit, block) = (data.limit, data.block)
        let start = range.lowerBound / block * block
        guard !range.isEmpty, start < limit else { return 0..<0 }
        return start..<min((range.upperBound + block - 1) / block * block, limit)
    }

    /// The part below the limit of the block that holds it; empty unless all of `range` is behind the limit.
    private func lastBlock(before range: Range<UInt64>) -> Range<UInt64> {
        let limit = data.limit
        guard range.lowerBound >= limit else { return 0..<0 }
        return limit / data.block * data.block..<limit
    }

    private func hasHoles(_ range: Range<UInt64>) throws(FSError) -> Bool {
        let known = data.known.end(from: range.lowerBound, to: range.upperBound)
        guard known < range.upperBound else { return false }
        let hole = try FSError.wrap { () throws(Errno) in try file.fd.hole(from: known) ?? known }
        let limit = data.limit
        data.known.insert(known..<min(hole, limit), isToLimit: hole >= limit)
        return hole < range.upperBound
    }

    func holes(in range: Range<UInt64>) throws(FSError) -> [Range<UInt64>] {
        var found: [Range<UInt64>] = []
        var position = range.lowerBound
        while position < range.upperBound {
            let hole = try FSError.wrap { () throws(Errno) in
                guard let start = try file.fd.hole(from: position), start < range.upperBound else {
                    return range.upperBound..<range.upperBound
                }
                return start..<min(try file.fd.data(from: start) ?? .max, range.upperBound)
            }
            if !hole.isEmpty { found.append(hole) }
            position = hole.upperBound
        }
        return found
    }

    /// Copies the lower's data into the holes of the first and the last block of `range`, unless `range`
    /// covers these blocks whole. Precondition: the lock is held alone.
    func fillEdges(of range: Range<UInt64>) throws(FSError) {
        let covered = covered(range)
        guard !covered.isEmpty else { return }
        let first = covered.lowerBound..<min(covered.lowerBound + data.block, covered.upperBound)
        let isCut = range.upperBound < covered.upperBound
        if range.lowerBound > first.lowerBound || (isCut && first.upperBound == covered.upperBound) {
            try fill(first)
        }
        if isCut, first.upperBound < covered.upperBound {
            try fill((covered.upperBound - 1) / data.block * data.block..<covered.upperBound)
        }
    }

    /// Copies the lower's data into the holes in `range`, which is below the limit. Precondition: the lock is
    /// held alone.
    func fill(_ range: Range<UInt64>) throws(FSError) {
        for hole in try holes(in: range) {
            do throws(FSError) {
                try copyLower(hole)
            } catch {
                restore([hole], from: hole.lowerBound)
                throw error
            }
        }
    }

    private func copyLower(_ range: Range<UInt64>) throws(FSError) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Int(min(range.upperBound - range.lowerBound, 1 << 18)),
            alignment: 4096
        )
        defer { buffer.deallocate() }
        var done = range.lowerBound
        while done < range.upperBound {
            let count = Int(min(UInt64(buffer.count), range.upperBound - done))
            let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
            try readLower(into: piece, at: done)
            try FSError.wrap { () throws(Errno) in
                try file.fd.writeAll(UnsafeRawBufferPointer(piece), at: done)
            }
            done += UInt64(count)
        }
    }

    /// Repairs the holes after a write that ended early. A filesystem that runs out of space within a page
    /// leaves zeros in the blocks that it allocated (__block_write_begin in fs/buffer.c), which were holes;
    /// they get the lower's data, and have room for it by now. Precondition: the lock is held alone.
    private func restore(_ holes: [Range<UInt64>], from start: UInt64) {
        for hole in holes where hole.upperBound > start {
            var position = max(hole.lowerBound, start)
            while position < hole.upperBound, let begin = try? file.fd.data(from: position),
                begin < hole.upperBound
            {
                let end = min((try? file.fd.hole(from: begin)) ?? .max, hole.upperBound)
                try? copyLower(begin..<end)
                position = end
            }
        }
    }

    // MARK: - The limit, and the end

    /// Records the limit where the next mount would not find it. Precondition: the lock is held alone.
    func markLimit() throws(FSError) {
        if data.isUnmarked { try mark(data.limit) }
    }

    /// Records a limit. Precondition: the lock is held alone.
    func mark(_ limit: UInt64) throws(FSError) {
        try FSError.wrap { () throws(Errno) in try upper.marks.setLimit(limit, of: file.fd) }
        data.setMarked(limit)
        // fdatasync(2) need not write the attribute to disk.
        node.needsSync = true
    }

    /// Fills at most `count` bytes of holes from `position` on and moves `position` behind them; false when
    /// there are no more. The file keeps its times.
    func fill(from position: inout UInt64, count: UInt64) throws(FSError) -> Bool {
        data.lock.lockAlone()
        defer { data.lock.unlock() }
        let limit = data.limit
        guard position < limit,
            let start = try FSError.wrap({ () throws(Errno) in try file.fd.hole(from: position) }),
            start < limit
        else { return false }
        try node.keepingStatus(in: file.fd) { () throws(FSError) in
            try unseal()
            let before = try FSError.wrap { () throws(Errno) in try file.fd.status() }
            let end = min(start + count, limit)
            try fill(start..<end)
            position = end
            try FSError.wrap { () throws(Errno) in
                let times = [before.st_atim, before.st_mtim]
                try Errno.check(file.fd.use { futimens($0, times) })
            }
        }
        return true
    }

    /// Whether the upper has all data.
    func isWhole() throws(FSError) -> Bool { try !hasHoles(0..<data.limit) }

    /// Makes the file an upper file like any other. Its data must be on disk by now, or the limit be 0.
    /// Precondition: the lock is held alone.
    func finish() throws(FSError) {
        guard case .partial = node.data else { return }
        try node.keepingStatus(in: file.fd) { () throws(FSError) in
            try FSError.wrap { () throws(Errno) in
                try upper.marks.removeData(of: file.fd, isPartial: true, hasMap: data.isSealed)
            }
        }
        data.setMarked(0)
        data.lower(to: 0)
        node.data = .upper
    }
}
