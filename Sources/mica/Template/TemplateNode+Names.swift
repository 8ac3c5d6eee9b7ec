extension [TemplateNode] {
    /// The members of the whole value that are asked for, in the template's order.
    var names: [String] { flatMap { $0.names(isWhole: true) } }

    /// Whether the whole value is asked for as it is.
    var usesAll: Bool { contains { $0.usesAll } }
}

extension TemplateNode {
    /// `isWhole`: the dot is the whole value here.
    fileprivate func names(isWhole: Bool) -> [String] {
        func inside(_ nodes: [TemplateNode], isWhole: Bool) -> [String] {
            nodes.flatMap { $0.names(isWhole: isWhole) }
        }
        switch self {
        case .text: return []
        case .output(let expression), .variable(_, let expression): return expression.names(isWhole)
        case .condition(let expression, let body, let otherwise):
            return expression.names(isWhole) + inside(body + otherwise, isWhole: isWhole)
        case .with(let expression, let body, let otherwise),
            .range(let expression, _, let body, let otherwise):
            return expression.names(isWhole) + inside(body, isWhole: false)
                + inside(otherwise, isWhole: isWhole)
        }
    }

    fileprivate var usesAll: Bool {
        switch self {
        case .text: false
        case .output(let expression), .variable(_, let expression): expression.usesAll
        case .condition(let expression, let body, let otherwise):
            expression.usesAll || (body + otherwise).usesAll
        case .with(let expression, let body, let otherwise),
            .range(let expression, _, let body, let otherwise):
            expression.usesAll || (body + otherwise).usesAll
        }
    }
}

extension TemplateExpression {
    fileprivate func names(_ isWhole: Bool) -> [String] {
        switch self {
        case .value, .dot, .variable: []
        case .member(.dot, let name): isWhole ? [name] : []
        case .member(.variable(""), let name): [name]
        case .member(let base, _): base.names(isWhole)
        case .call(_, let arguments): arguments.flatMap { $0.names(isWhole) }
        case .method(let name, let argument): [FormatTemplate.shown(method: name)] + argument.names(isWhole)
        }
    }

    fileprivate var usesAll: Bool {
        switch self {
        case .dot, .variable(""): true
        case .value, .variable, .member(.dot, _), .member(.variable, _): false
        case .member(let base, _): base.usesAll
        case .call(_, let arguments): arguments.contains { $0.usesAll }
        case .method(_, let argument): argument.usesAll
        }
    }
}
