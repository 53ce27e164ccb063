//! Globs of the trim operators: `*`, `?`, `[a-c]`, `[^a]` and `\` before a literal character.
//!
//! Unlike a file name's glob, `*` and `?` match slashes too. Only `substitution` uses it.

/// A parsed pattern.
pub(crate) struct Glob {
    tokens: Vec<Token>,
}

enum Token {
    Any,
    One,
    Literal(char),
    Class { negated: bool, ranges: Vec<(char, char)> },
}

impl Token {
    fn matches(&self, character: char) -> bool {
        match self {
            Self::Any | Self::One => true,
            Self::Literal(literal) => *literal == character,
            Self::Class { negated, ranges } => {
                let within = ranges.iter().any(|(low, high)| (*low..=*high).contains(&character));
                within != *negated
            }
        }
    }
}

impl Glob {
    /// None if the pattern is malformed.
    pub(crate) fn parse(pattern: &str) -> Option<Self> {
        let mut characters = pattern.chars().peekable();
        let mut tokens = Vec::new();
        while let Some(character) = characters.next() {
            tokens.push(match character {
                '*' => Token::Any,
                '?' => Token::One,
                '\\' => Token::Literal(characters.next()?),
                '[' => {
                    let negated = characters.next_if_eq(&'^').is_some();
                    let mut ranges = Vec::new();
                    while ranges.is_empty() || characters.peek() != Some(&']') {
                        let low = class_character(&mut characters)?;
                        let high = match characters.next_if_eq(&'-') {
                            Some(_) => class_character(&mut characters)?,
                            None => low,
                        };
                        ranges.push((low, high));
                    }
                    characters.next();
                    Token::Class { negated, ranges }
                }
                literal => Token::Literal(literal),
            });
        }
        Some(Self { tokens })
    }

    /// Whether the whole text matches. Takes at most length × tokens steps.
    pub(crate) fn matches(&self, text: &[char]) -> bool {
        let (mut token, mut position) = (0, 0);
        // Where to go on when a literal fails: behind the last star, one character further.
        let mut restart: Option<(usize, usize)> = None;
        loop {
            match (self.tokens.get(token), text.get(position)) {
                (None, None) => return true,
                (Some(Token::Any), _) => {
                    restart = Some((token + 1, position));
                    token += 1;
                    continue;
                }
                (Some(expected), Some(character)) if expected.matches(*character) => {
                    token += 1;
                    position += 1;
                    continue;
                }
                _ => {}
            }
            match restart {
                Some((after_star, from)) if from < text.len() => {
                    restart = Some((after_star, from + 1));
                    token = after_star;
                    position = from + 1;
                }
                _ => return false,
            }
        }
    }
}

fn class_character(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<char> {
    match characters.next()? {
        '\\' => characters.next(),
        '-' | ']' => None,
        character => Some(character),
    }
}
