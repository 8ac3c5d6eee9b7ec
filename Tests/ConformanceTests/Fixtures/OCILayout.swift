import Digests
import Foundation
import Linux
import SystemPackage

/// An image in an OCI layout, made of layers' tars by hand.
enum OCILayout {
    /// Writes it to `directory`, with the tag `tag`.
    static func write(_ tars: [[UInt8]], to directory: String, tag: String) throws {
        try FilePath("\(directory)/blobs/sha256").makeDirectories()
        func blob(_ bytes: [UInt8], _ type: String) throws -> String {
            let digest = SHA256.digest(of: bytes)
            try Data(bytes).write(to: URL(fileURLWithPath: "\(directory)/blobs/sha256/\(digest.hex)"))
            return
                #"{"mediaType":"application/vnd.oci.image.\#(type)","digest":"\#(digest)","size":\#(bytes.count)"#
        }
        let layers = try tars.map { try blob($0, "layer.v1.tar") + "}" }.joined(separator: ",")
        let diffIDs = tars.map { "\"\(SHA256.digest(of: $0))\"" }.joined(separator: ",")
        let config =
            #"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[\#(diffIDs)]}}"#
        let manifest =
            #"{"schemaVersion":2,"config":\#(try blob(Array(config.utf8), "config.v1+json"))},"#
            + #""layers":[\#(layers)]}"#
        let entry = try blob(Array(manifest.utf8), "manifest.v1+json")
        let index =
            #"{"schemaVersion":2,"manifests":[\#(entry),"annotations":"#
            + #"{"org.opencontainers.image.ref.name":"\#(tag)"}}]}"#
        try Data(index.utf8).write(to: URL(fileURLWithPath: "\(directory)/index.json"))
        try Data(#"{"imageLayoutVersion":"1.0.0"}"#.utf8)
            .write(to: URL(fileURLWithPath: "\(directory)/oci-layout"))
    }
}
