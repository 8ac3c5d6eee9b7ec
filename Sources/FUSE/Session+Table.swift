import CFUSE
import Glibc

extension Session {
    static func table(_ io: IOMode, writesBack: Bool) -> fuse_lowlevel_ops {
        var table = fuse_lowlevel_ops()
        addNames(&table)
        addAttributes(&table)
        addData(&table)
        addFlags(&table)
        if io == .passthrough { addOpens(&table) }
        if writesBack {
            // The kernel would ask for holes without writing back first, and take data that is not written yet for a
            // hole. ENOSYS makes it assume no holes but the end of the file.
            table.lseek = { request, _, _, _, _ in fuse_reply_err(request, ENOSYS) }
        }
        return table
    }
}
