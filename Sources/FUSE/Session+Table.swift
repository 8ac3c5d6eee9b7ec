import CFUSE

extension Session {
    static let table: fuse_lowlevel_ops = {
        var table = fuse_lowlevel_ops()
        addNames(&table)
        addAttributes(&table)
        addData(&table)
        return table
    }()
}
