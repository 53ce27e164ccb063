//! Patterns for places with slashes: repositories of a registry, and who signed.
//!
//! `*` stands for any characters but a slash, `**` for any characters; everything else is itself.
//! So `ghcr.io/acme/*` is every repository of acme and none below one. Rules that give trust are
//! written with it, which is why there are no classes and no escapes to get wrong.

use std::fmt;

/// The longest pattern; longer ones are mistakes.
const MOST_CHARACTERS: usize = 512;

/// A parsed pattern.
#[derive(Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    tokens: Vec<Token>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Token {
    /// `**`
    Any,
    /// `*`
    Within,
    Literal(char),
}

/// Why a text is no pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It would match the empty text only.
    #[error("the pattern is empty")]
    Empty,
    /// Longer than any real name.
    #[error("the pattern is longer than {MOST_CHARACTERS} characters")]
    Long,
    /// `***` and more, where nobody can tell what is meant.
    #[error("the pattern has more than two `*` in a row")]
    Stars,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// It is empty, too long, or has three stars in a row.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if text.is_empty() {
            return Err(PatternError::Empty);
        }
        if text.chars().count() > MOST_CHARACTERS {
            return Err(PatternError::Long);
        }
        if text.contains("***") {
            return Err(PatternError::Stars);
        }
        let mut tokens = Vec::new();
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            tokens.push(match character {
                '*' if characters.next_if_eq(&'*').is_some() => Token::Any,
                '*' => Token::Within,
                literal => Token::Literal(literal),
            });
        }
        Ok(Self { text: text.to_owned(), tokens })
    }

    /// Whether the whole text matches. Takes at most length × tokens steps.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        // Which tokens could come next, after each character: no backtracking to run wild.
        let mut next = vec![false; self.tokens.len() + 1];
        self.reach(&mut next, 0);
        for character in text.chars() {
            let mut after = vec![false; next.len()];
            for (index, token) in self.tokens.iter().enumerate() {
                if !next.get(index).copied().unwrap_or_default() {
                    continue;
                }
                match token {
                    Token::Any => self.reach(&mut after, index),
                    Token::Within if character != '/' => self.reach(&mut after, index),
                    Token::Literal(literal) if *literal == character => {
                        self.reach(&mut after, index + 1);
                    }
                    _ => {}
                }
            }
            next = after;
        }
        next.last().copied().unwrap_or_default()
    }

    /// Marks `index`, and what can be reached from there without a character.
    fn reach(&self, marks: &mut [bool], index: usize) {
        let mut index = index;
        while let Some(mark) = marks.get_mut(index) {
            *mark = true;
            match self.tokens.get(index) {
                Some(Token::Any | Token::Within) => index += 1,
                _ => return,
            }
        }
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Pattern({:?})", self.text)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn one_star_stays_within_a_segment_and_two_do_not() {
        for (pattern, text, matches) in [
            ("ghcr.io/acme/*", "ghcr.io/acme/export", true),
            ("ghcr.io/acme/*", "ghcr.io/acme/", true),
            ("ghcr.io/acme/*", "ghcr.io/acme/deep/export", false),
            ("ghcr.io/acme/*", "ghcr.io/acme", false),
            ("ghcr.io/acme/*", "ghcr.io/acme-evil/export", false),
            ("ghcr.io/acme/**", "ghcr.io/acme/deep/export", true),
            ("registry.local:5000/**", "registry.local:5000/a", true),
            ("registry.local:5000/**", "registry.local:50001/a", false),
            ("**", "anything/at/all", true),
            ("*", "anything/at/all", false),
            ("*/a", "b/a", true),
            ("**/export", "a/b/export", true),
            ("**/export", "a/b/export2", false),
            ("a*b*c", "aXXbYYc", true),
            ("a*b*c", "aXXbYY", false),
            ("ghcr.io/acme/export", "ghcr.io/acme/export", true),
            ("ghcr.io/acme/export", "ghcrXio/acme/export", false),
        ] {
            assert_eq!(Pattern::parse(pattern).unwrap().matches(text), matches, "{pattern} {text}");
        }
    }

    #[test]
    fn what_nobody_can_mean_is_refused() {
        assert_eq!(Pattern::parse(""), Err(PatternError::Empty));
        assert_eq!(Pattern::parse("a/***"), Err(PatternError::Stars));
        assert_eq!(Pattern::parse(&"a".repeat(513)), Err(PatternError::Long));
    }

    #[test]
    fn a_pattern_of_many_stars_is_no_work() {
        let pattern = Pattern::parse(&"a*".repeat(256)).unwrap();
        assert!(!pattern.matches(&format!("{}b/", "a".repeat(4096))));
    }
}
