import Linux
import SystemPackage

extension PartialFile {
    /// Punches out the blocks that a power cut left without data. They stand for the lower's data, but read
    /// as zeros of the file's own from the first read beside them, so this comes before any read: once for
    /// each file that a mount finds.
    func dropBlocksWithoutData() throws(FSError) {
        guard data.mayLackData else { return }
        data.lock.lockAlone()
        defer { data.lock.unlock() }
        guard data.mayLackData else { return }
        let end = (data.limit + data.block - 1) / data.block * data.block
        let ranges = try FSError.wrap { () throws(Errno) in try file.fd.blocksWithoutData(below: end) }
        if !ranges.isEmpty { try unseal() }
        for range in ranges { try call(PartialFile.punchesHole | PartialFile.keepsSize, range) }
        data.mayLackData = false
    }
}
