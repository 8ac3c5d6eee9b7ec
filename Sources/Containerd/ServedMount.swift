/// What containerd is to do to see a snapshot: one mount(2).
package struct ServedMount: Sendable, Equatable {
    package var type: String
    package var source: String
    package var options: [String]

    package init(type: String, source: String, options: [String]) {
        self.type = type
        self.source = source
        self.options = options
    }
}
