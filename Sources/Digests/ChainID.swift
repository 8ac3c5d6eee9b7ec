/// Names of stacks of layers, as the OCI image specification defines them ("Layer ChainID"):
/// chainID(1) = diffID(1); chainID(n) = SHA-256(chainID(n-1) + " " + diffID(n)).
package enum ChainID {
    package static func adding(_ diffID: Digest, to parent: Digest?) -> Digest {
        guard let parent else { return diffID }
        let half = Digest.descriptionCount
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 2 * half + 1) { text in
            parent.write(to: text)
            text[half] = UInt8(ascii: " ")
            diffID.write(to: UnsafeMutableBufferPointer(rebasing: text[(half + 1)...]))
            return SHA256.digest(of: UnsafeRawBufferPointer(text))
        }
    }

    /// One chain ID for each prefix of `diffIDs` (bottom to top), that of the whole stack last.
    package static func all(of diffIDs: [Digest]) -> [Digest] {
        var chains: [Digest] = []
        for diffID in diffIDs { chains.append(adding(diffID, to: chains.last)) }
        return chains
    }
}
