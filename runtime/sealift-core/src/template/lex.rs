//! Cuts a template into text and actions, and an action into tokens.

use super::TemplateError;

/// A part of a template, before it is understood.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Part {
    Text(String),
    Action(Vec<Token>),
}

/// A word of an action.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// `.A.B`, or `.` alone (an empty path); `$` before it changes nothing outside of `range`.
    Path(Vec<String>),
    Word(String),
    Text(String),
    Number(i64),
    Pipe,
    Open,
    Close,
}

/// Text and actions, in order. White space is removed where an action asks for it.
pub(super) fn parts(template: &str) -> Result<Vec<Part>, TemplateError> {
    let mut parts = Vec::new();
    let mut rest = template;
    let mut trim_next = false;
    loop {
        let (text, action) = match rest.split_once("{{") {
            Some((text, action)) => (text, Some(action)),
            None => (rest, None),
        };
        let mut text = if trim_next { text.trim_start() } else { text };
        let Some(action) = action else {
            push_text(&mut parts, text);
            return Ok(parts);
        };
        let action = match strip_trim_mark(action) {
            Some(action) => {
                text = text.trim_end();
                action
            }
            None => action,
        };
        push_text(&mut parts, text);
        let (inside, after) = split_at_end(action)?;
        let trimmed = inside.strip_suffix('-').filter(|before| {
            before.ends_with(char::is_whitespace) || before.trim_end().ends_with("*/")
        });
        trim_next = trimmed.is_some();
        let inside = trimmed.unwrap_or(inside).trim();
        // A comment fills its action.
        if !(inside.starts_with("/*") && inside.ends_with("*/")) {
            parts.push(Part::Action(tokens(inside)?));
        }
        rest = after;
    }
}

fn push_text(parts: &mut Vec<Part>, text: &str) {
    if !text.is_empty() {
        parts.push(Part::Text(text.to_owned()));
    }
}

/// `- ` directly after `{{`: the white space before the action goes.
fn strip_trim_mark(action: &str) -> Option<&str> {
    action.strip_prefix('-').filter(|rest| rest.starts_with(char::is_whitespace))
}

/// What stands before `}}` and after it; a `}}` in quotes or in a comment does not end an action.
fn split_at_end(action: &str) -> Result<(&str, &str), TemplateError> {
    let body = action.trim_start();
    if body.starts_with("/*") {
        let offset = action.len() - body.len();
        let end = body.find("*/").ok_or(TemplateError::Unclosed)? + offset + 2;
        let (comment, rest) = action.split_at(end);
        let close = rest.find("}}").ok_or(TemplateError::Unclosed)?;
        let (mark, after) = rest.split_at(close);
        if !matches!(mark.trim(), "" | "-") {
            return Err(TemplateError::Unexpected { found: mark.trim().to_owned() });
        }
        let (inside, _) = action.split_at(comment.len() + close);
        return Ok((inside, after.strip_prefix("}}").unwrap_or(after)));
    }
    let mut quote: Option<char> = None;
    let mut escaped = false;
    for (at, character) in action.char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some('"') if character == '\\' => escaped = true,
            Some(open) if character == open => quote = None,
            Some(_) => {}
            None if matches!(character, '"' | '`') => quote = Some(character),
            None => {
                let (inside, after) = action.split_at(at);
                if let Some(after) = after.strip_prefix("}}") {
                    return Ok((inside, after));
                }
            }
        }
    }
    Err(if quote.is_some() { TemplateError::UnclosedText } else { TemplateError::Unclosed })
}

fn tokens(action: &str) -> Result<Vec<Token>, TemplateError> {
    let mut tokens = Vec::new();
    let mut rest = action.chars().peekable();
    while let Some(character) = rest.next() {
        let token = match character {
            character if character.is_whitespace() => continue,
            '|' => Token::Pipe,
            '(' => Token::Open,
            ')' => Token::Close,
            '"' => Token::Text(quoted(&mut rest)?),
            '`' => {
                let mut text = String::new();
                loop {
                    match rest.next().ok_or(TemplateError::UnclosedText)? {
                        '`' => break Token::Text(text),
                        character => text.push(character),
                    }
                }
            }
            '.' => Token::Path(path(word(&mut rest, String::new()))?),
            '$' => {
                let name = word(&mut rest, String::new());
                match name.strip_prefix('.') {
                    Some(fields) => Token::Path(path(fields.to_owned())?),
                    None if name.is_empty() => Token::Path(Vec::new()),
                    None => {
                        return Err(TemplateError::NotSupported { what: format!("${name}") });
                    }
                }
            }
            character if character.is_ascii_digit() || character == '-' => {
                let number = word(&mut rest, character.to_string());
                let unexpected = |_| TemplateError::Unexpected { found: number.clone() };
                Token::Number(number.parse().map_err(unexpected)?)
            }
            character if character.is_alphabetic() || character == '_' => {
                Token::Word(word(&mut rest, character.to_string()))
            }
            other => return Err(TemplateError::Unexpected { found: other.to_string() }),
        };
        tokens.push(token);
    }
    Ok(tokens)
}

type Characters<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// Letters, digits, `_` and `.` from here on.
fn word(rest: &mut Characters<'_>, mut word: String) -> String {
    let in_word = |next: &char| next.is_alphanumeric() || matches!(next, '_' | '.');
    while let Some(character) = rest.next_if(in_word) {
        word.push(character);
    }
    word
}

fn path(names: String) -> Result<Vec<String>, TemplateError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let path: Vec<String> = names.split('.').map(str::to_owned).collect();
    if path.iter().any(String::is_empty) {
        return Err(TemplateError::Unexpected { found: format!(".{names}") });
    }
    Ok(path)
}

/// The rest of a text in double quotes, with Go's usual escapes.
fn quoted(rest: &mut Characters<'_>) -> Result<String, TemplateError> {
    let mut text = String::new();
    loop {
        match rest.next().ok_or(TemplateError::UnclosedText)? {
            '"' => return Ok(text),
            '\\' => match rest.next().ok_or(TemplateError::UnclosedText)? {
                'n' => text.push('\n'),
                'r' => text.push('\r'),
                't' => text.push('\t'),
                character @ ('"' | '\\' | '\'') => text.push(character),
                other => return Err(TemplateError::Unexpected { found: format!("\\{other}") }),
            },
            character => text.push(character),
        }
    }
}
