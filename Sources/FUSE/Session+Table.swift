import CFUSE

extension Session {
    static func table(_ io: IOMode) -> fuse_lowlevel_ops {
        var table = fuse_lowlevel_ops()
        addNames(&table)
        addAttributes(&table)
        addData(&table)
        if io == .passthrough { addOpens(&table) }
        return table
    }
}
