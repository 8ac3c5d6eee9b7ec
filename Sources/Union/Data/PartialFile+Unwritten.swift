import Linux
import SystemPackage

extension PartialFile {
    /// Makes holes for good of the blocks that a power cut left without data, before anything of the file is read: they
    /// are the lower's, and would be zeros of its own from the moment that somebody reads beside them. Once for each file
    /// that a mount finds.
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
