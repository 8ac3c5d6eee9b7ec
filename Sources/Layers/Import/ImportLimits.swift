import Linux

import Glibc

/// How much of one layer mica holds in memory. The limits are beyond most images, and small enough that a hostile
/// tar fails with a message: at these limits an import takes some 600 MB for entries, and 300 MB for names.
package struct ImportLimits: Sendable, Equatable {
    /// Entries of the tar, and the directories that they imply.
    package var entries: Int
    /// Names and targets of symbolic links, in bytes.
    package var nameBytes: Int
    /// Names and values of extended attributes, in bytes.
    package var xattrBytes: Int
    /// Bytes of one file, holes included: ext4's limit.
    package var fileSize: UInt64

    package init(entries: Int, nameBytes: Int, xattrBytes: Int, fileSize: UInt64) {
        self.entries = entries
        self.nameBytes = nameBytes
        self.xattrBytes = xattrBytes
        self.fileSize = fileSize
    }

    package static let standard = ImportLimits(
        entries: 2_000_000,
        nameBytes: 128 << 20,
        xattrBytes: 32 << 20,
        fileSize: 16 << 40 - 4096
    )

    /// The variable with limits instead of the standard ones.
    package static let variable = "MICA_LAYER_LIMITS"

    /// The standard limits, with those that the environment gives instead. Failure where it can't be understood.
    package static func ofEnvironment() throws -> ImportLimits {
        guard let text = getenv(variable) else { return .standard }
        return try standard.changed(by: String(cString: text), from: "$\(variable)")
    }

    /// `text`: `entries=N,names=SIZE,xattrs=SIZE`, any of them; sizes in bytes, or with k, m or g behind. `source`: where
    /// the text is from.
    package func changed(by text: String, from source: String) throws -> ImportLimits {
        var changed = self
        for word in text.split(separator: ",") {
            let parts = word.split(separator: "=", maxSplits: 1)
            let value = parts.count == 2 ? ImportLimits.number(parts[1]) : nil
            switch (parts.first.flatMap { Name(rawValue: String($0)) }, value) {
            case (.entries, let value?): changed.entries = value
            case (.names, let value?): changed.nameBytes = value
            case (.xattrs, let value?): changed.xattrBytes = value
            default:
                throw Failure(
                    "\(source): \(word) is no limit of a layer",
                    advice: "For example: entries=4000000,names=256m,xattrs=64m",
                    kind: .invalidArgument,
                    exitCode: 64
                )
            }
        }
        return changed
    }

    /// A positive number below what an index can hold; nil for anything else.
    private static func number(_ text: Substring) -> Int? {
        let units: [Character: Int] = ["k": 1 << 10, "m": 1 << 20, "g": 1 << 30]
        let unit = text.last.flatMap { units[$0] }
        let digits = unit == nil ? text : text.dropLast()
        guard digits.allSatisfy(\.isASCII), let count = UInt32(digits) else { return nil }
        let (value, overflow) = Int(count).multipliedReportingOverflow(by: unit ?? 1)
        return overflow || value == 0 || value > Int(UInt32.max) ? nil : value
    }

    enum Name: String { case entries, names, xattrs }

    /// What is said of a layer that is beyond a limit.
    func exceeded(_ name: Name) -> LayerError {
        let (what, limit) =
            switch name {
            case .entries: ("has more than \(entries) entries", entries)
            case .names: ("has names of more than \(nameBytes) bytes", nameBytes)
            case .xattrs: ("has extended attributes of more than \(xattrBytes) bytes", xattrBytes)
            }
        return LayerError(
            "the layer \(what)",
            advice: "If it can be trusted, allow more: \(ImportLimits.variable)=\(name.rawValue)=\(limit)0"
        )
    }
}
