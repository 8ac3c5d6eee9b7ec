import SystemPackage

import Glibc

extension NameModel {
    /// Does what is not about an open descriptor.
    func apply(_ operation: NameOperation) throws(Errno) {
        switch operation {
        case .create, .makeDirectory, .symlink, .makeFIFO, .link, .unlink, .removeDirectory, .rename:
            try applyName(operation)
        default: try applyAttribute(operation)
        }
    }

    private func applyName(_ operation: NameOperation) throws(Errno) {
        switch operation {
        case .create(let name, let tag): try make(name, ModelNode(.file, mode: 0o600, tag: tag))
        case .makeDirectory(let name): try make(name, ModelNode(.directory, mode: 0o700))
        case .symlink(let name, let tag): try make(name, ModelNode(.symlink, mode: 0o777, tag: tag))
        case .makeFIFO(let name): try make(name, ModelNode(.fifo, mode: 0o600))
        case .link(let old, let new): try link(old, new)
        case .unlink(let name): try unlink(name)
        case .removeDirectory(let name): try removeDirectory(name)
        case .rename(let old, let new, let flags): try rename(old, new, flags: flags)
        default: break
        }
    }

    private func applyAttribute(_ operation: NameOperation) throws(Errno) {
        switch operation {
        case .chmod(let name, let mode): try follow(name).mode = mode
        case .chown(let name, let uid, let gid):
            let node = try find(name)
            (node.uid, node.gid) = (uid, gid)
        case .setTime(let name, let seconds): try find(name).time = seconds
        case .setXattr(let name, let tag): try find(name).xattr = tag
        case .removeXattr(let name):
            let node = try find(name)
            guard node.xattr != nil else { throw .noData }
            node.xattr = nil
        case .write(let name, let tag):
            let node = try follow(name)
            if node.isDirectory { throw .isDirectory }
            if node.kind == .fifo { throw .noSuchAddressOrDevice }
            node.tag = tag
            node.time = nil
        default: break
        }
    }
}
