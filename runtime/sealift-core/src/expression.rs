//! The grammar of `${…}`: text to a tree, nothing evaluated.
//!
//! Only `substitution` uses it. The rules are those of the library the original uses, where
//! they can be told apart: `$$` is one dollar outside of expressions and inside a replacement,
//! the first closing brace ends an expression, and `\/` is a slash inside a replacement.

use crate::substitution::SubstitutionError;

/// How deep expressions may be nested; each level is a frame of the parser.
const MAX_DEPTH: usize = 32;

/// A piece of a text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Node {
    /// As it stands.
    Text(String),
    /// To be replaced.
    Expression(Expression),
}

/// One `${…}`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Expression {
    /// The variable.
    pub(crate) name: String,
    /// What is done with its value.
    pub(crate) operation: Operation,
    /// The expression as written, for messages.
    pub(crate) source: String,
}

/// What is done with a value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// `${v}`
    None,
    /// `${v=d}`, `${v:=d}`, `${v:-d}`
    Default(Vec<Node>),
    /// `${v:?d}`, `${v:+d}`
    Unsupported(&'static str, Vec<Node>),
    /// `${#v}`
    Length,
    /// `${v^}`
    UpperFirst,
    /// `${v^^}`
    UpperAll,
    /// `${v,}`
    LowerFirst,
    /// `${v,,}`
    LowerAll,
    /// `${v:start}`, `${v:start:length}`
    Substring {
        /// First byte.
        start: Vec<Node>,
        /// Number of bytes.
        length: Option<Vec<Node>>,
    },
    /// `${v/p/t}` and its three relatives
    Replace {
        /// Which matches.
        mode: Replace,
        /// Plain text, no glob.
        pattern: Vec<Node>,
        /// What stands there afterwards.
        text: Vec<Node>,
    },
    /// `${v#p}` and its three relatives
    Trim {
        /// At the end instead of the beginning.
        suffix: bool,
        /// The longest match instead of the shortest.
        longest: bool,
        /// A glob.
        pattern: Vec<Node>,
    },
}

impl Operation {
    /// Its arguments in the order they are written.
    pub(crate) fn arguments(&self) -> Vec<&[Node]> {
        match self {
            Self::Default(nodes) | Self::Unsupported(_, nodes) => vec![nodes],
            Self::Substring { start, length: Some(length) } => vec![start, length],
            Self::Substring { start: nodes, length: None } => vec![nodes],
            Self::Replace { pattern, text, .. } => vec![pattern, text],
            Self::Trim { pattern, .. } => vec![pattern],
            Self::None
            | Self::Length
            | Self::UpperFirst
            | Self::UpperAll
            | Self::LowerFirst
            | Self::LowerAll => Vec::new(),
        }
    }
}

/// Which matches a replacement is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replace {
    /// `/`
    First,
    /// `//`
    All,
    /// `/#`
    Prefix,
    /// `/%`
    Suffix,
}

/// Reads one text.
pub(crate) struct Parser<'text> {
    rest: &'text str,
}

impl<'text> Parser<'text> {
    /// A parser at the beginning of `text`.
    pub(crate) fn new(text: &'text str) -> Self {
        Self { rest: text }
    }

    /// The whole text.
    pub(crate) fn parse(mut self) -> Result<Vec<Node>, SubstitutionError> {
        let mut nodes = Vec::new();
        let mut text = String::new();
        while !self.rest.is_empty() {
            if self.eat("$$") {
                text.push('$');
            } else if self.rest.starts_with("${") {
                push_text(&mut nodes, &mut text);
                nodes.push(self.expression(0)?);
            } else if let Some(character) = self.next() {
                text.push(character);
            }
        }
        push_text(&mut nodes, &mut text);
        Ok(nodes)
    }

    fn expression(&mut self, depth: usize) -> Result<Node, SubstitutionError> {
        if depth >= MAX_DEPTH {
            return Err(SubstitutionError::Depth(MAX_DEPTH));
        }
        let begin = self.rest;
        self.eat("${");
        let length = self.eat("#");
        let name = self.name();
        if name.is_empty() {
            return Err(SubstitutionError::Name(excerpt(begin)));
        }
        let operation = if length { Operation::Length } else { self.operation(begin, depth)? };
        if !self.eat("}") {
            let error = match operation.arguments().is_empty() {
                true => SubstitutionError::ClosingBrace,
                false => SubstitutionError::Argument,
            };
            return Err(error(excerpt(begin)));
        }
        let written = begin.len().saturating_sub(self.rest.len());
        let source = begin.get(..written).unwrap_or(begin).to_owned();
        Ok(Node::Expression(Expression { name, operation, source }))
    }

    fn name(&mut self) -> String {
        let end = self
            .rest
            .find(|character: char| !character.is_alphanumeric() && character != '_')
            .unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        name.to_owned()
    }

    fn operation(&mut self, begin: &str, depth: usize) -> Result<Operation, SubstitutionError> {
        let until_brace = |parser: &mut Self| parser.argument(&['}'], false, depth);
        // The longer operators stand before the shorter ones that begin like them.
        Ok(if self.eat(":=") || self.eat(":-") || self.eat("=") {
            Operation::Default(until_brace(self)?)
        } else if self.eat(":?") {
            Operation::Unsupported(":?", until_brace(self)?)
        } else if self.eat(":+") {
            Operation::Unsupported(":+", until_brace(self)?)
        } else if self.eat(":") {
            self.substring(begin, depth)?
        } else if self.eat("^^") {
            Operation::UpperAll
        } else if self.eat("^") {
            Operation::UpperFirst
        } else if self.eat(",,") {
            Operation::LowerAll
        } else if self.eat(",") {
            Operation::LowerFirst
        } else if self.eat("##") {
            Operation::Trim { suffix: false, longest: true, pattern: until_brace(self)? }
        } else if self.eat("#") {
            Operation::Trim { suffix: false, longest: false, pattern: until_brace(self)? }
        } else if self.eat("%%") {
            Operation::Trim { suffix: true, longest: true, pattern: until_brace(self)? }
        } else if self.eat("%") {
            Operation::Trim { suffix: true, longest: false, pattern: until_brace(self)? }
        } else if self.eat("/") {
            self.replacement(begin, depth)?
        } else {
            Operation::None
        })
    }

    fn substring(&mut self, begin: &str, depth: usize) -> Result<Operation, SubstitutionError> {
        let start = self.argument(&[':', '}'], false, depth)?;
        if start.is_empty() {
            return Err(SubstitutionError::Argument(excerpt(begin)));
        }
        let length = match self.eat(":") {
            true => Some(self.argument(&['}'], false, depth)?),
            false => None,
        };
        Ok(Operation::Substring { start, length })
    }

    fn replacement(&mut self, begin: &str, depth: usize) -> Result<Operation, SubstitutionError> {
        let mode = if self.eat("/") {
            Replace::All
        } else if self.eat("#") {
            Replace::Prefix
        } else if self.eat("%") {
            Replace::Suffix
        } else {
            Replace::First
        };
        let pattern = self.argument(&['/', '}'], true, depth)?;
        if !self.eat("/") {
            return Err(SubstitutionError::Replacement(excerpt(begin)));
        }
        let text = self.argument(&['}'], true, depth)?;
        Ok(Operation::Replace { mode, pattern, text })
    }

    /// Everything up to one of `ends`, which is left unread.
    fn argument(
        &mut self,
        ends: &[char],
        replacement: bool,
        depth: usize,
    ) -> Result<Vec<Node>, SubstitutionError> {
        let mut nodes = Vec::new();
        let mut text = String::new();
        while !self.rest.is_empty() && !self.rest.starts_with(ends) {
            if replacement && self.eat("$$") {
                text.push('$');
            } else if replacement && self.eat("\\/") {
                text.push('/');
            } else if self.rest.starts_with("${") {
                push_text(&mut nodes, &mut text);
                nodes.push(self.expression(depth + 1)?);
            } else if let Some(character) = self.next() {
                text.push(character);
            }
        }
        push_text(&mut nodes, &mut text);
        Ok(nodes)
    }

    fn eat(&mut self, token: &str) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn next(&mut self) -> Option<char> {
        let mut characters = self.rest.chars();
        let character = characters.next();
        self.rest = characters.as_str();
        character
    }
}

fn push_text(nodes: &mut Vec<Node>, text: &mut String) {
    if !text.is_empty() {
        nodes.push(Node::Text(std::mem::take(text)));
    }
}

/// The beginning of a malformed expression, short enough for a message.
fn excerpt(text: &str) -> String {
    const LENGTH: usize = 40;
    let mut short: String = text.chars().take(LENGTH).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
