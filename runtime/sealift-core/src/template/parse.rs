//! Makes a tree of the parts of a template.

use super::functions::Function;
use super::lex::{self, Part, Token};
use super::{Command, Node, Pipeline, TemplateError, Term, Value};

/// Deeper nesting is no template of a person; the bound keeps the stack flat.
pub(super) const MOST_LEVELS: usize = 32;

/// Words of Go's templates that are not supported.
const KEYWORDS: [&str; 8] =
    ["range", "with", "define", "template", "block", "break", "continue", "nil"];

pub(super) fn parse(text: &str) -> Result<Vec<Node>, TemplateError> {
    let mut parts = lex::parts(text)?.into_iter();
    let (nodes, end) = nodes(&mut parts, 0)?;
    match end {
        Closing::Template => Ok(nodes),
        Closing::End => Err(TemplateError::Unpaired { word: "end" }),
        Closing::Else(_) => Err(TemplateError::Unpaired { word: "else" }),
    }
}

/// What a list of nodes ended with.
enum Closing {
    Template,
    End,
    /// `else`, or `else if` with its condition.
    Else(Option<Pipeline>),
}

fn nodes(
    parts: &mut std::vec::IntoIter<Part>,
    level: usize,
) -> Result<(Vec<Node>, Closing), TemplateError> {
    if level > MOST_LEVELS {
        return Err(TemplateError::Deep);
    }
    let mut nodes = Vec::new();
    while let Some(part) = parts.next() {
        let tokens = match part {
            Part::Text(text) => {
                nodes.push(Node::Text(text));
                continue;
            }
            Part::Action(tokens) => tokens,
        };
        match first_word(&tokens) {
            Some("if") => {
                let condition = pipeline(tokens.into_iter().skip(1), level)?;
                nodes.push(condition_node(condition, parts, level)?);
            }
            Some("else") => {
                let mut rest = tokens.into_iter().skip(1);
                let condition = match rest.next() {
                    None => None,
                    Some(Token::Word(word)) if word == "if" => Some(pipeline(rest, level)?),
                    Some(token) => return Err(unexpected(&token)),
                };
                return Ok((nodes, Closing::Else(condition)));
            }
            Some("end") => {
                return match tokens.get(1) {
                    None => Ok((nodes, Closing::End)),
                    Some(token) => Err(unexpected(token)),
                };
            }
            Some(word) if KEYWORDS.contains(&word) => {
                return Err(TemplateError::NotSupported { what: word.to_owned() });
            }
            _ => nodes.push(Node::Print(pipeline(tokens.into_iter(), level)?)),
        }
    }
    Ok((nodes, Closing::Template))
}

fn first_word(tokens: &[Token]) -> Option<&str> {
    match tokens.first() {
        Some(Token::Word(word)) => Some(word),
        _ => None,
    }
}

/// The rest of an `if` whose condition was read.
fn condition_node(
    condition: Pipeline,
    parts: &mut std::vec::IntoIter<Part>,
    level: usize,
) -> Result<Node, TemplateError> {
    let mut branches = Vec::new();
    let mut condition = condition;
    loop {
        let (inside, end) = nodes(parts, level + 1)?;
        branches.push((condition, inside));
        match end {
            Closing::End => return Ok(Node::If { branches, otherwise: Vec::new() }),
            Closing::Else(Some(next)) => condition = next,
            Closing::Else(None) => {
                let (otherwise, end) = nodes(parts, level + 1)?;
                return match end {
                    Closing::End => Ok(Node::If { branches, otherwise }),
                    Closing::Else(_) => Err(TemplateError::Unpaired { word: "else" }),
                    Closing::Template => Err(TemplateError::Unpaired { word: "if" }),
                };
            }
            Closing::Template => return Err(TemplateError::Unpaired { word: "if" }),
        }
    }
}

fn pipeline(tokens: impl Iterator<Item = Token>, level: usize) -> Result<Pipeline, TemplateError> {
    let mut tokens = tokens.collect::<Vec<_>>().into_iter().peekable();
    let pipeline = commands(&mut tokens, level)?;
    match tokens.next() {
        None => Ok(pipeline),
        Some(token) => Err(unexpected(&token)),
    }
}

type Tokens = std::iter::Peekable<std::vec::IntoIter<Token>>;

/// Commands up to the end or to a closing bracket, which is left.
fn commands(tokens: &mut Tokens, level: usize) -> Result<Pipeline, TemplateError> {
    if level > MOST_LEVELS {
        return Err(TemplateError::Deep);
    }
    let mut commands = Vec::new();
    loop {
        let piped = !commands.is_empty();
        commands.push(command(tokens, piped, level)?);
        if tokens.next_if(|token| *token == Token::Pipe).is_none() {
            return Ok(Pipeline(commands));
        }
    }
}

fn command(tokens: &mut Tokens, piped: bool, level: usize) -> Result<Command, TemplateError> {
    let word = match tokens.peek() {
        Some(Token::Word(word)) if !matches!(word.as_str(), "true" | "false") => word.clone(),
        Some(_) if piped => {
            return Err(TemplateError::Missing { what: "a function after |" });
        }
        Some(_) => {
            let term = term(tokens, level)?.ok_or(TemplateError::Missing { what: "a value" })?;
            return match tokens.peek() {
                None | Some(Token::Pipe | Token::Close) => Ok(Command::Term(term)),
                Some(token) => Err(unexpected(token)),
            };
        }
        None => return Err(TemplateError::Missing { what: "a value" }),
    };
    tokens.next();
    let function =
        Function::find(&word).ok_or_else(|| TemplateError::NotSupported { what: word.clone() })?;
    let mut arguments = Vec::new();
    while let Some(argument) = term(tokens, level)? {
        arguments.push(argument);
    }
    function.check_count(arguments.len() + usize::from(piped))?;
    Ok(Command::Call(function, arguments))
}

/// The next value; none where a command ends.
fn term(tokens: &mut Tokens, level: usize) -> Result<Option<Term>, TemplateError> {
    let ends = matches!(tokens.peek(), None | Some(Token::Pipe | Token::Close));
    if ends {
        return Ok(None);
    }
    let Some(token) = tokens.next() else { return Ok(None) };
    Ok(Some(match token {
        Token::Path(path) => Term::Path(path),
        Token::Text(text) => Term::Literal(Value::Text(text)),
        Token::Number(number) => Term::Literal(Value::Number(number)),
        Token::Word(word) if word == "true" => Term::Literal(Value::Bool(true)),
        Token::Word(word) if word == "false" => Term::Literal(Value::Bool(false)),
        Token::Word(word) => {
            return Err(match Function::find(&word) {
                Some(_) => TemplateError::Missing { what: "brackets around a function's call" },
                None => TemplateError::NotSupported { what: word },
            });
        }
        Token::Open => {
            let group = commands(tokens, level + 1)?;
            match tokens.next() {
                Some(Token::Close) => Term::Group(group),
                _ => return Err(TemplateError::Missing { what: "a closing bracket" }),
            }
        }
        token @ (Token::Pipe | Token::Close) => return Err(unexpected(&token)),
    }))
}

fn unexpected(token: &Token) -> TemplateError {
    let found = match token {
        Token::Path(path) => format!(".{}", path.join(".")),
        Token::Word(word) | Token::Text(word) => word.clone(),
        Token::Number(number) => number.to_string(),
        Token::Pipe => "|".to_owned(),
        Token::Open => "(".to_owned(),
        Token::Close => ")".to_owned(),
    };
    TemplateError::Unexpected { found }
}
