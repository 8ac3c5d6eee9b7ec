extension Instruction {
    /// A `--mount` of `RUN`, expanded and checked: `MountFlag.mount` makes it. `type=ssh` is refused.
    package struct Mount: Sendable, Equatable {
        package enum Kind: String, Sendable, CaseIterable {
            case bind, cache, tmpfs, secret
        }

        package enum Sharing: String, Sendable, CaseIterable {
            case shared, `private`, locked
        }

        package internal(set) var kind = Kind.bind
        /// A stage or image; nil for the context (and for an empty directory, if this is a cache).
        package internal(set) var from: String?
        /// In what is mounted: `/` or empty is all of it. Never set for a secret, whose `source` is its `id`.
        package internal(set) var source = ""
        /// As it was written: relative to the working directory. Empty for a secret without a file.
        package internal(set) var target = ""
        /// What is written into a bind mount is dropped in any case.
        package internal(set) var isReadOnly = true
        /// Of a cache (the target where there is none) or a secret (the last part of the target).
        package internal(set) var id = ""
        package internal(set) var sharing = Sharing.shared
        /// Of a secret: without it, the build fails.
        package internal(set) var isRequired = false
        /// The variable that has the secret's value.
        package internal(set) var variable: String?
        /// In bytes, of a tmpfs; 0 for no limit.
        package internal(set) var size: Int64 = 0
        /// Of a cache's directory (0755) or a secret's file (0400).
        package internal(set) var mode: UInt32?
        package internal(set) var uid: UInt32?
        package internal(set) var gid: UInt32?
    }
}
