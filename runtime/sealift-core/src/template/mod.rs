//! The part of Go's templates that hooks use: fields, literals, pipelines, `if`, and functions
//! on text.
//!
//! The original renders the command of an exec hook and the body of a POST hook with Go's
//! `text/template` and sprig. What is known here renders as it does there; everything else
//! (`range`, variables, named templates, other functions) is refused when the template is read,
//! before any work was done. Pure: what the fields hold comes in as a [`Value`].

mod functions;
mod lex;
mod parse;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use self::functions::Function;

/// Why a template is refused or cannot be rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// `{{` without `}}`.
    #[error("an action that begins with {{{{ is never closed with }}}}")]
    Unclosed,
    /// A text in quotes without its end.
    #[error("a quoted text in an action has no end")]
    UnclosedText,
    /// A character that cannot stand here.
    #[error("{found:?} cannot stand in an action here")]
    Unexpected {
        /// What was found.
        found: String,
    },
    /// Something is missing.
    #[error("an action lacks {what}")]
    Missing {
        /// What is missing.
        what: &'static str,
    },
    /// Go knows it, this renderer does not.
    #[error(
        "{what:?} is not supported in hooks; use fields such as {{{{ .Status.Phase }}}}, if, else, end, and the functions {}",
        functions::names()
    )]
    NotSupported {
        /// The keyword or function.
        what: String,
    },
    /// `else` or `end` without `if`, or `if` without `end`.
    #[error("{{{{ {word} }}}} has no partner")]
    Unpaired {
        /// The keyword.
        word: &'static str,
    },
    /// The data has no such field.
    #[error("{path} is not known; known are {known}")]
    UnknownField {
        /// The path, as written.
        path: String,
        /// What is there.
        known: String,
    },
    /// A function got other arguments than it takes.
    #[error("{function} takes {takes}")]
    Arguments {
        /// The function.
        function: &'static str,
        /// What it takes.
        takes: &'static str,
    },
    /// Conditions and groups nest deeper than any hook needs.
    #[error("the template nests deeper than {} levels", parse::MOST_LEVELS)]
    Deep,
}

/// What a field holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Text.
    Text(String),
    /// A whole number.
    Number(i64),
    /// Yes or no.
    Bool(bool),
    /// Fields by name.
    Fields(BTreeMap<String, Value>),
}

impl Value {
    /// Fields by name.
    pub fn fields<'a>(fields: impl IntoIterator<Item = (&'a str, Self)>) -> Self {
        Self::Fields(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// Text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// Go's idea of truth: what is empty, zero or false is not.
    fn is_true(&self) -> bool {
        match self {
            Self::Text(text) => !text.is_empty(),
            Self::Number(number) => *number != 0,
            Self::Bool(bool) => *bool,
            Self::Fields(fields) => !fields.is_empty(),
        }
    }

    /// Every path below this value, for messages.
    fn paths(&self, prefix: &str, into: &mut Vec<String>) {
        match self {
            Self::Fields(fields) => {
                for (name, value) in fields {
                    value.paths(&format!("{prefix}.{name}"), into);
                }
            }
            _ => into.push(prefix.to_owned()),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => write!(f, "{number}"),
            Self::Bool(bool) => write!(f, "{bool}"),
            Self::Fields(fields) => {
                f.write_str("{")?;
                for (index, value) in fields.values().enumerate() {
                    let blank = if index == 0 { "" } else { " " };
                    write!(f, "{blank}{value}")?;
                }
                f.write_str("}")
            }
        }
    }
}

/// A template that was read and can be rendered.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    nodes: Vec<Node>,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// It is no template, or uses what is not supported.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        parse::parse(text).map(|nodes| Self { nodes })
    }

    /// Whether every field is there, also in branches that are not taken.
    ///
    /// # Errors
    /// The first field that is not.
    pub fn check(&self, data: &Value) -> Result<(), TemplateError> {
        check_nodes(&self.nodes, data)
    }

    /// The text.
    ///
    /// # Errors
    /// A field is not there, or a function got what it cannot use.
    pub fn render(&self, data: &Value) -> Result<String, TemplateError> {
        let mut text = String::new();
        render(&self.nodes, data, &mut text)?;
        Ok(text)
    }
}

/// A part of a template.
#[derive(Debug, Clone, PartialEq)]
enum Node {
    Text(String),
    Print(Pipeline),
    If { branches: Vec<(Pipeline, Vec<Node>)>, otherwise: Vec<Node> },
}

/// Commands; each gets the result of the one before as its last argument.
#[derive(Debug, Clone, PartialEq)]
struct Pipeline(Vec<Command>);

#[derive(Debug, Clone, PartialEq)]
enum Command {
    Term(Term),
    Call(Function, Vec<Term>),
}

#[derive(Debug, Clone, PartialEq)]
enum Term {
    Literal(Value),
    Path(Vec<String>),
    Group(Pipeline),
}

fn render(nodes: &[Node], data: &Value, text: &mut String) -> Result<(), TemplateError> {
    for node in nodes {
        match node {
            Node::Text(part) => text.push_str(part),
            Node::Print(pipeline) => text.push_str(&pipeline.value(data)?.to_string()),
            Node::If { branches, otherwise } => {
                let mut taken = otherwise;
                for (condition, nodes) in branches {
                    if condition.value(data)?.is_true() {
                        taken = nodes;
                        break;
                    }
                }
                render(taken, data, text)?;
            }
        }
    }
    Ok(())
}

fn check_nodes(nodes: &[Node], data: &Value) -> Result<(), TemplateError> {
    nodes.iter().try_for_each(|node| match node {
        Node::Text(_) => Ok(()),
        Node::Print(pipeline) => pipeline.check(data),
        Node::If { branches, otherwise } => {
            branches.iter().try_for_each(|(condition, nodes)| {
                condition.check(data)?;
                check_nodes(nodes, data)
            })?;
            check_nodes(otherwise, data)
        }
    })
}

impl Pipeline {
    fn value(&self, data: &Value) -> Result<Value, TemplateError> {
        let mut piped: Option<Value> = None;
        for command in &self.0 {
            piped = Some(match command {
                Command::Term(term) => term.value(data)?,
                Command::Call(function, arguments) => {
                    let mut values = arguments
                        .iter()
                        .map(|term| term.value(data))
                        .collect::<Result<Vec<_>, _>>()?;
                    values.extend(piped);
                    function.call(&values)?
                }
            });
        }
        piped.ok_or(TemplateError::Missing { what: "a value" })
    }

    fn check(&self, data: &Value) -> Result<(), TemplateError> {
        self.0.iter().try_for_each(|command| match command {
            Command::Term(term) => term.check(data),
            Command::Call(_, arguments) => {
                arguments.iter().try_for_each(|argument| argument.check(data))
            }
        })
    }
}

impl Term {
    fn value(&self, data: &Value) -> Result<Value, TemplateError> {
        match self {
            Self::Literal(value) => Ok(value.clone()),
            Self::Path(path) => find(path, data).cloned(),
            Self::Group(pipeline) => pipeline.value(data),
        }
    }

    fn check(&self, data: &Value) -> Result<(), TemplateError> {
        match self {
            Self::Literal(_) => Ok(()),
            Self::Path(path) => find(path, data).map(|_| ()),
            Self::Group(pipeline) => pipeline.check(data),
        }
    }
}

fn find<'a>(path: &[String], data: &'a Value) -> Result<&'a Value, TemplateError> {
    let mut value = data;
    for name in path {
        value = match value {
            Value::Fields(fields) => fields.get(name),
            _ => None,
        }
        .ok_or_else(|| {
            let mut known = Vec::new();
            data.paths("", &mut known);
            TemplateError::UnknownField {
                path: format!(".{}", path.join(".")),
                known: known.join(", "),
            }
        })?;
    }
    Ok(value)
}
