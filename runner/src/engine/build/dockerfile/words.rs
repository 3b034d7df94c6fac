//! Words of a line, quotes and escapes left as they are; and the JSON form of a list.

/// Splits at white space that is neither quoted nor escaped.
pub(super) fn split(text: &str, escape: char) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut quote, mut escaped) = (String::new(), None, false);
    for c in text.chars() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (Some('\''), '\'') => quote = None,
            (Some('\''), _) => {}
            (_, c) if c == escape => escaped = true,
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, c) if c.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                continue;
            }
            (None, _) => {}
        }
        word.push(c);
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// `["a", "b"]`; anything else is none.
pub(super) fn json(text: &str) -> Option<Vec<String>> {
    text.trim().starts_with('[').then(|| serde_json::from_str(text.trim()).ok()).flatten()
}

/// `name=value …`, or the old `name all the rest`.
pub(super) fn pairs(verb: &str, text: &str, escape: char) -> Result<Vec<(String, String)>, String> {
    let words = split(text, escape);
    let first = words.first().ok_or_else(|| format!("{verb} requires at least one argument"))?;
    if !first.contains('=') {
        let (name, value) = text
            .trim()
            .split_once(char::is_whitespace)
            .ok_or_else(|| format!("{verb} must have two arguments"))?;
        return Ok(vec![(name.to_owned(), value.trim().to_owned())]);
    }
    let pair = |word: &String| match word.split_once('=') {
        Some(("", _)) => Err(format!("{verb} names can not be blank")),
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err(format!("Syntax error - can't find = in \"{word}\". Must be of the form: name=value")),
    };
    words.iter().map(pair).collect()
}
