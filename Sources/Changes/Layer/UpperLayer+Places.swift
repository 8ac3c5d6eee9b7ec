import Linux

extension UpperLayer {
    /// A directory's entry, written at the latest before the first thing in it.
    final class Header {
        /// Without slashes at the ends; empty for the root.
        let path: [UInt8]
        let node: TreeNode
        let parent: Header?
        /// Read before anything in the directory is written: what is not the directory's any more is known by then.
        var details: Details?
        var isWritten = false

        init(path: [UInt8], node: TreeNode, parent: Header?) {
            self.path = path
            self.node = node
            self.parent = parent
        }

        func path(of name: some Sequence<UInt8>) -> [UInt8] {
            path.isEmpty ? Array(name) : path + [0x2f] + name
        }
    }

    /// A directory that is being walked through.
    final class Place {
        let header: Header
        /// The inode in the chain that it is merged with, where only what changed is written; nil: all of it is.
        let lower: UInt32?
        /// Where its part in the upper is open.
        let directory: WayDirectory?
        private var children: ArraySlice<TreeChild>

        init(_ header: Header, over lower: UInt32?, _ children: [TreeChild], _ directory: WayDirectory?) {
            self.header = header
            self.lower = lower
            self.directory = directory
            self.children = children[...]
        }

        func next() -> TreeChild? { children.popFirst() }
    }
}
