//! Go templates as Docker's `--format` takes them, over JSON: fields, variables, pipes, `if`, `range`, `with`, and
//! the functions that people use. Pure; knows no command. A field that is not there is an error that says which are.
//!
//! Own code, for the one crate that reads such templates has long been left alone, and prints JSON in Go's ways.

mod functions;
mod parse;

use super::error::Error;
use super::format::text;
use parse::{Expression, Node, Term};
use serde_json::Value;

/// The most that one template prints.
const OUTPUT: usize = 64 << 20;

/// What is wrong with a template, in words that the caller puts the template before.
type Outcome<T> = Result<T, String>;

/// `value` as the template says; `\t` and `\n` in it mean what they say.
pub(super) fn render(template: &str, value: &Value) -> Result<String, Error> {
    let source = template.replace("\\t", "\t").replace("\\n", "\n");
    let wrong = |words| Error::Invalid(format!("template {template:?}: {words}"));
    let nodes = parse::parse(&source).map_err(wrong)?;
    let mut scope = Scope { root: value, variables: Vec::new(), out: String::new() };
    scope.show(&nodes, value).map_err(wrong)?;
    Ok(scope.out)
}

/// Where a template is being carried out.
struct Scope<'a> {
    root: &'a Value,
    variables: Vec<(String, Value)>,
    out: String,
}

impl Scope<'_> {
    fn show(&mut self, nodes: &[Node], dot: &Value) -> Outcome<()> {
        for node in nodes {
            match node {
                Node::Text(text) => self.out += text,
                Node::Show(expression) => {
                    let value = self.evaluate(expression, dot)?;
                    self.out += &text(&value);
                }
                Node::Set(name, expression) => {
                    let value = self.evaluate(expression, dot)?;
                    match self.variables.iter_mut().rev().find(|(known, _)| known == name) {
                        Some((_, old)) => *old = value,
                        None => self.variables.push((name.clone(), value)),
                    }
                }
                Node::If(condition, then, otherwise) => {
                    let chosen = if truth(&self.evaluate(condition, dot)?) { then } else { otherwise };
                    self.inside(chosen, dot, &[])?;
                }
                Node::With(expression, then, otherwise) => {
                    let value = self.evaluate(expression, dot)?;
                    if truth(&value) {
                        self.inside(then, &value, &[])?;
                    } else {
                        self.inside(otherwise, dot, &[])?;
                    }
                }
                Node::Range(names, over, each, otherwise) => {
                    self.range(names, over, (each, otherwise), dot)?
                }
            }
            if self.out.len() > OUTPUT {
                return Err(format!("it prints more than {OUTPUT} bytes"));
            }
        }
        Ok(())
    }

    fn range(
        &mut self,
        names: &[String],
        over: &Expression,
        (each, otherwise): (&[Node], &[Node]),
        dot: &Value,
    ) -> Outcome<()> {
        let pairs: Vec<(Value, Value)> = match self.evaluate(over, dot)? {
            Value::Array(list) => list.into_iter().enumerate().map(|(n, v)| (Value::from(n), v)).collect(),
            Value::Object(map) => map.into_iter().map(|(k, v)| (Value::from(k), v)).collect(),
            Value::Null => Vec::new(),
            other => return Err(format!("range cannot go over {other}")),
        };
        if pairs.is_empty() {
            return self.inside(otherwise, dot, &[]);
        }
        for (key, value) in pairs {
            let set: Vec<(String, Value)> = match names {
                [] => Vec::new(),
                [one] => vec![(one.clone(), value.clone())],
                [first, second, ..] => vec![(first.clone(), key), (second.clone(), value.clone())],
            };
            self.inside(each, &value, &set)?;
        }
        Ok(())
    }

    /// Shows nodes with variables that are gone behind them.
    fn inside(&mut self, nodes: &[Node], dot: &Value, set: &[(String, Value)]) -> Outcome<()> {
        let before = self.variables.len();
        self.variables.extend_from_slice(set);
        let done = self.show(nodes, dot);
        self.variables.truncate(before);
        done
    }

    /// A pipe: what a command gives is the last argument of the next.
    fn evaluate(&self, expression: &Expression, dot: &Value) -> Outcome<Value> {
        let mut piped = None;
        for command in &expression.0 {
            let mut terms = command.iter();
            let first = terms.next().ok_or("an action is empty")?;
            let value = if let Term::Name(name) = first {
                let mut arguments = terms.map(|t| self.term(t, dot)).collect::<Outcome<Vec<_>>>()?;
                arguments.extend(piped);
                functions::call(name, arguments)?
            } else if terms.next().is_some() || piped.is_some() {
                return Err("only a function takes arguments".to_owned());
            } else {
                self.term(first, dot)?
            };
            piped = Some(value);
        }
        piped.ok_or_else(|| "an action is empty".to_owned())
    }

    fn term(&self, term: &Term, dot: &Value) -> Outcome<Value> {
        match term {
            Term::Value(value) => Ok(value.clone()),
            Term::Field(path) => field(dot, path).cloned(),
            Term::Variable(name, path) if name.is_empty() => field(self.root, path).cloned(),
            Term::Variable(name, path) => {
                let known = self.variables.iter().rev().find(|(known, _)| known == name);
                let (_, value) = known.ok_or_else(|| format!("there is no variable ${name}"))?;
                field(value, path).cloned()
            }
            Term::Nested(expression, path) => field(&self.evaluate(expression, dot)?, path).cloned(),
            Term::Name(name) => functions::call(name, Vec::new()),
        }
    }
}

fn field<'a>(value: &'a Value, path: &[String]) -> Outcome<&'a Value> {
    path.iter().try_fold(value, |value, name| {
        value.get(name).ok_or_else(|| {
            let known = value.as_object().map(|o| o.keys().cloned().collect::<Vec<_>>().join(", "));
            let known = known.unwrap_or_else(|| "no fields".to_owned());
            format!("there is no field {name:?}; there are: {known}")
        })
    })
}

/// What Go takes for true: everything that is not empty.
fn truth(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(on) => *on,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::render;
    use serde_json::json;

    #[test]
    fn what_docker_prints() {
        let value = json!({
            "State": {"Pid": 7, "Args": ["a", "b"], "On": true, "Off": false},
            "Name": "/x", "Labels": {"k": "v", "l": "w"}, "Ports": {}, "Nothing": null,
        });
        for (template, expected) in [
            ("{{.State.Pid}}-{{ .Name }}", "7-/x"),
            ("{{json .State.Args}}{{len .State.Args}}", "[\"a\",\"b\"]2"),
            ("{{.State.Args}}", "[a b]"),
            ("{{.Name | upper | printf \"%s!\"}}", "/X!"),
            ("{{if .State.On}}yes{{else}}no{{end}}", "yes"),
            ("{{if .State.Off}}yes{{else if eq .State.Pid 7}}seven{{else}}no{{end}}", "seven"),
            ("{{range .State.Args}}<{{.}}>{{end}}", "<a><b>"),
            ("{{range $k, $v := .Labels}}{{$k}}={{$v}};{{end}}", "k=v;l=w;"),
            ("{{range .Ports}}x{{else}}none{{end}}", "none"),
            ("{{with .State}}{{.Pid}}{{$.Name}}{{end}}", "7/x"),
            ("{{index .Labels \"k\"}}{{index .State.Args 1}}", "vb"),
            ("{{join .State.Args \", \"}}", "a, b"),
            (
                "{{$p := .State.Pid}}{{printf \"%05d|%-4s|%q|%v\" $p .Name .Name .State.On}}",
                "00007|/x  |\"/x\"|true",
            ),
            ("a {{- /* nothing */ -}} b", "ab"),
            ("{{(index .State.Args 0) | title}}", "A"),
            ("{{and .State.On .Name}}{{or .Nothing `raw`}}{{not .State.Off}}", "/xrawtrue"),
            ("{{truncate .Name 1}}{{split .Name \"/\" | len}}\\t.", "/2\t."),
            ("{{if and (gt .State.Pid 1) (lt .State.Pid 9)}}in{{end}}", "in"),
        ] {
            assert_eq!(render(template, &value).unwrap(), expected, "{template}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let value = json!({"Name": "/x", "Args": [1]});
        for (bad, word) in [
            ("{{.Nme}}", "Name"),
            ("{{Name}}", "Name"),
            ("{{.Name", "closed"),
            ("{{wat .Name}}", "wat"),
            ("{{if .Name}}", "end"),
            ("{{end}}", "end"),
            ("{{index .Args 5}}", "5"),
            ("{{printf \"%d\" .Name}}", "%d"),
            ("{{$x}}", "$x"),
            ("{{range .Name}}{{end}}", "range"),
            ("{{\"open}}", "closed"),
        ] {
            let said = render(bad, &value).unwrap_err().to_string();
            assert!(said.contains(word), "{bad}: {said}");
        }
    }
}
