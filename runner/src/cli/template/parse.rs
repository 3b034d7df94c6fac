//! A template's text as a tree. Knows the grammar, and no value.

use super::Outcome;
use serde_json::Value;

/// How deep blocks and parentheses may stand in each other.
const DEPTH: usize = 32;

/// A piece of a template.
#[derive(Debug)]
pub(super) enum Node {
    /// As it stands.
    Text(String),
    /// What an expression gives.
    Show(Expression),
    /// `$name := …`
    Set(String, Expression),
    /// Condition, then, else.
    If(Expression, Vec<Node>, Vec<Node>),
    /// Like if; the value becomes the dot.
    With(Expression, Vec<Node>, Vec<Node>),
    /// Variables, over what, each, and what stands for none.
    Range(Vec<String>, Expression, Vec<Node>, Vec<Node>),
}

/// Commands that are piped into each other; each a term, or a function with its arguments.
#[derive(Debug)]
pub(super) struct Expression(pub(super) Vec<Vec<Term>>);

/// A part of a command.
#[derive(Debug)]
pub(super) enum Term {
    /// A literal.
    Value(Value),
    /// `.A.B`; empty: the dot itself.
    Field(Vec<String>),
    /// `$name.A.B`; an empty name: the root.
    Variable(String, Vec<String>),
    /// `( … ).A.B`
    Nested(Box<Expression>, Vec<String>),
    /// A function.
    Name(String),
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Open,
    Close,
    Pipe,
    Comma,
    Assign,
}

/// An action's words, or the text between actions.
enum Piece {
    Text(String),
    Action(Vec<Token>),
}

/// Reads a whole template.
pub(super) fn parse(source: &str) -> Outcome<Vec<Node>> {
    match block(&mut split(source)?.into_iter(), 0)? {
        (nodes, Ending::Text) => Ok(nodes),
        (_, Ending::End) => Err("an {{end}} stands without its block".to_owned()),
        (_, Ending::Else(_)) => Err("an {{else}} stands without its block".to_owned()),
    }
}

/// Text and actions, one after the other; `{{-` and `-}}` trim the text beside them.
fn split(source: &str) -> Outcome<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut rest = source;
    let mut trim = false;
    while let Some((before, after)) = rest.split_once("{{") {
        let trims = after.starts_with("- ") || after.starts_with("-\t");
        let before = if trim { before.trim_start() } else { before };
        pieces.push(Piece::Text(if trims { before.trim_end() } else { before }.to_owned()));
        let inner = if trims { &after[1..] } else { after };
        let end = end_of_action(inner)?;
        let action = &inner[..end];
        rest = &inner[end + 2..];
        trim = action.ends_with(" -");
        let action = if trim { &action[..action.len() - 1] } else { action };
        if !action.trim().starts_with("/*") {
            pieces.push(Piece::Action(tokens(action)?));
        }
    }
    pieces.push(Piece::Text(if trim { rest.trim_start() } else { rest }.to_owned()));
    Ok(pieces)
}

/// Where `}}` stands, outside of quotes and comments.
fn end_of_action(inner: &str) -> Outcome<usize> {
    if inner.trim_start().starts_with("/*") {
        return inner.find("}}").ok_or_else(|| "a comment is not closed".to_owned());
    }
    let mut quote = None;
    let mut escaped = false;
    for (n, c) in inner.char_indices() {
        match quote {
            Some('"') if escaped => escaped = false,
            Some('"') if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if matches!(c, '"' | '`') => quote = Some(c),
            None if inner[n..].starts_with("}}") => return Ok(n),
            None => {}
        }
    }
    Err("a {{ is not closed".to_owned())
}

fn tokens(action: &str) -> Outcome<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = action.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '(' | ')' | '|' | ',' => {
                tokens.push(match first {
                    '(' => Token::Open,
                    ')' => Token::Close,
                    '|' => Token::Pipe,
                    _ => Token::Comma,
                });
                1
            }
            ':' | '=' => {
                tokens.push(Token::Assign);
                if rest.starts_with(":=") { 2 } else { 1 }
            }
            '`' => {
                let text = rest[1..].split_once('`').ok_or("a ` is not closed")?.0;
                tokens.push(Token::Text(text.to_owned()));
                text.len() + 2
            }
            '"' => {
                let mut json = serde_json::Deserializer::from_str(rest).into_iter::<String>();
                let text = json.next().and_then(Result::ok).ok_or("a quoted text is wrong")?;
                tokens.push(Token::Text(text));
                json.byte_offset()
            }
            _ => {
                let ends = |c: char| c.is_whitespace() || "()|,:=\"`".contains(c);
                let length = rest.find(ends).unwrap_or(rest.len());
                tokens.push(Token::Word(rest[..length].to_owned()));
                length
            }
        };
        // A field directly behind a parenthesis belongs to it.
        let space = rest[length..].starts_with(char::is_whitespace);
        if first == ')' && !space && rest[length..].starts_with('.') {
            tokens.pop();
            let ends = |c: char| c.is_whitespace() || "()|,:=\"`".contains(c);
            let more = rest[length..].find(ends).unwrap_or(rest.len() - length);
            tokens.push(Token::Close);
            tokens.push(Token::Word(format!("){}", &rest[length..length + more])));
            rest = rest[length + more..].trim_start();
            continue;
        }
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

/// What a block ended with.
enum Ending {
    /// The template's end.
    Text,
    /// `end`
    End,
    /// `else`, and what stands behind it.
    Else(Vec<Token>),
}

type Pieces = std::vec::IntoIter<Piece>;

fn block(pieces: &mut Pieces, depth: usize) -> Outcome<(Vec<Node>, Ending)> {
    if depth > DEPTH {
        return Err(format!("blocks stand more than {DEPTH} deep"));
    }
    let mut nodes = Vec::new();
    while let Some(piece) = pieces.next() {
        let tokens = match piece {
            Piece::Text(text) => {
                nodes.push(Node::Text(text));
                continue;
            }
            Piece::Action(tokens) => tokens,
        };
        let word = match tokens.first() {
            Some(Token::Word(word)) => word.as_str(),
            _ => "",
        };
        match word {
            "end" => return Ok((nodes, Ending::End)),
            "else" => return Ok((nodes, Ending::Else(tokens[1..].to_vec()))),
            "if" | "with" => {
                let about = expression(&tokens[1..])?;
                let (then, otherwise) = branches(pieces, depth + 1)?;
                let node = if word == "if" { Node::If } else { Node::With };
                nodes.push(node(about, then, otherwise));
            }
            "range" => {
                let (names, over) = variables(&tokens[1..])?;
                let (each, otherwise) = branches(pieces, depth + 1)?;
                nodes.push(Node::Range(names, expression(over)?, each, otherwise));
            }
            _ => {
                let (names, value) = variables(&tokens)?;
                nodes.push(match names.as_slice() {
                    [] => Node::Show(expression(value)?),
                    [name] => Node::Set(name.clone(), expression(value)?),
                    _ => return Err("two variables are for range only".to_owned()),
                });
            }
        }
    }
    Ok((nodes, Ending::Text))
}

/// Both branches of a block, up to its end.
fn branches(pieces: &mut Pieces, depth: usize) -> Outcome<(Vec<Node>, Vec<Node>)> {
    let (then, end) = block(pieces, depth)?;
    let otherwise = match end {
        Ending::End => Vec::new(),
        Ending::Text => return Err("an {{end}} is missing".to_owned()),
        Ending::Else(rest) => match rest.as_slice() {
            [] => match block(pieces, depth)? {
                (otherwise, Ending::End) => otherwise,
                _ => return Err("an {{end}} is missing behind {{else}}".to_owned()),
            },
            // It shares the end of the block that it stands in.
            [Token::Word(word), condition @ ..] if word == "if" => {
                let condition = expression(condition)?;
                let (then, otherwise) = branches(pieces, depth + 1)?;
                vec![Node::If(condition, then, otherwise)]
            }
            _ => return Err("behind else stands nothing, or if".to_owned()),
        },
    };
    Ok((then, otherwise))
}

/// `$a, $b := …`: the names, and what stands behind.
fn variables(tokens: &[Token]) -> Outcome<(Vec<String>, &[Token])> {
    let Some(at) = tokens.iter().position(|t| *t == Token::Assign) else { return Ok((Vec::new(), tokens)) };
    let mut names = Vec::new();
    for token in &tokens[..at] {
        match token {
            Token::Comma => {}
            Token::Word(word) if word.starts_with('$') && word.len() > 1 && !word.contains('.') => {
                names.push(word[1..].to_owned());
            }
            other => return Err(format!("{other:?} is no variable")),
        }
    }
    Ok((names, &tokens[at + 1..]))
}

fn expression(tokens: &[Token]) -> Outcome<Expression> {
    let mut rest = tokens;
    let found = pipe(&mut rest, 0)?;
    if rest.is_empty() { Ok(found) } else { Err("a ) stands without its (".to_owned()) }
}

/// Commands up to the end, or to the parenthesis that closes.
fn pipe(tokens: &mut &[Token], depth: usize) -> Outcome<Expression> {
    if depth > DEPTH {
        return Err(format!("parentheses stand more than {DEPTH} deep"));
    }
    let mut commands = vec![Vec::new()];
    while let Some((token, rest)) = tokens.split_first() {
        if *token == Token::Close {
            break;
        }
        *tokens = rest;
        let term = match token {
            Token::Pipe => {
                commands.push(Vec::new());
                continue;
            }
            Token::Open => {
                let inner = pipe(tokens, depth + 1)?;
                let Some((Token::Close, rest)) = tokens.split_first() else {
                    return Err("a ( is not closed".to_owned());
                };
                *tokens = rest;
                let path = match tokens.split_first() {
                    Some((Token::Word(word), rest)) if word.starts_with(").") => {
                        *tokens = rest;
                        path(&word[2..])
                    }
                    _ => Vec::new(),
                };
                Term::Nested(Box::new(inner), path)
            }
            Token::Text(text) => Term::Value(Value::from(text.clone())),
            Token::Word(word) => term(word)?,
            Token::Comma | Token::Assign | Token::Close => return Err("a sign is out of place".to_owned()),
        };
        if let Some(command) = commands.last_mut() {
            command.push(term);
        }
    }
    Ok(Expression(commands))
}

fn term(word: &str) -> Outcome<Term> {
    if let Some(rest) = word.strip_prefix('$') {
        let (name, fields) = rest.split_once('.').unwrap_or((rest, ""));
        return Ok(Term::Variable(name.to_owned(), path(fields)));
    }
    if let Some(fields) = word.strip_prefix('.') {
        return Ok(Term::Field(path(fields)));
    }
    if word.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+')) {
        let number: serde_json::Number =
            word.trim_start_matches('+').parse().map_err(|_| format!("{word:?} is no number"))?;
        return Ok(Term::Value(Value::Number(number)));
    }
    Ok(match word {
        "true" => Term::Value(Value::Bool(true)),
        "false" => Term::Value(Value::Bool(false)),
        "nil" => Term::Value(Value::Null),
        name if name.chars().all(|c| c.is_alphanumeric() || c == '_') => Term::Name(name.to_owned()),
        other => return Err(format!("{other:?} is not understood")),
    })
}

fn path(fields: &str) -> Vec<String> {
    fields.split('.').filter(|name| !name.is_empty()).map(ToOwned::to_owned).collect()
}
