import OCI

/// A part of a template, as it was parsed.
indirect enum TemplateNode {
    case text(String)
    /// `{{P}}`.
    case output(TemplateExpression)
    /// `{{$x := P}}`, or `=` where the variable exists.
    case variable(String, TemplateExpression)
    /// `{{if P}}…{{else}}…{{end}}`.
    case condition(TemplateExpression, [TemplateNode], otherwise: [TemplateNode])
    /// `{{with P}}…{{else}}…{{end}}`: inside, P is the dot.
    case with(TemplateExpression, [TemplateNode], otherwise: [TemplateNode])
    /// `{{range $i, $v := P}}…{{else}}…{{end}}`: inside, each element is the dot.
    case range(TemplateExpression, names: [String], [TemplateNode], otherwise: [TemplateNode])
}

/// What stands between braces.
indirect enum TemplateExpression {
    case value(JSONValue)
    case dot
    /// `$x`, by its name; `$` itself, the whole value, has none.
    case variable(String)
    /// `.A` of a value.
    case member(TemplateExpression, String)
    case call(TemplateFunction, [TemplateExpression])
    /// `.Label "x"` of the whole value: what it has for one key.
    case method(String, TemplateExpression)
}
