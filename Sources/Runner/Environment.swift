/// Lists of NAME=VALUE, as execve(2) takes them.
package enum Environment {
    package static let defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    /// `base` with `changes` applied in order: an existing name stays in its place and gets the new value.
    package static func merging(_ base: [String], _ changes: [String]) -> [String] {
        var merged: [String] = []
        var places: [Substring: Int] = [:]
        for entry in base + changes {
            let name = entry.prefix { $0 != "=" }
            if let place = places[name] {
                merged[place] = entry
            } else {
                places[name] = merged.count
                merged.append(entry)
            }
        }
        return merged
    }

    /// `environment` for the program: an empty HOME counts as none, so that the user's own takes its place.
    package static func withoutEmptyHome(_ environment: [String]) -> [String] {
        environment.filter { $0 != "HOME=" }
    }

    /// The value of `name`, nil where it is not set.
    package static func value(of name: String, in environment: [String]) -> String? {
        for entry in environment where entry.hasPrefix("\(name)=") {
            return String(entry.dropFirst(name.count + 1))
        }
        return nil
    }
}
