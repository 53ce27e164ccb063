//! Text that comes from Functions is data: cut to a length and freed of control characters.
//!
//! It judges nothing and translates nothing; escaping for a particular output is that output's.

/// At most `limit` bytes of the text, cut between characters and marked with `…` where it was
/// cut; control characters, line ends among them, become blanks.
#[must_use]
pub fn clean(text: &str, limit: usize) -> String {
    const MARK: char = '…';
    let mut cleaned = String::with_capacity(text.len().min(limit));
    for character in text.chars() {
        let character = if is_hidden(character) { ' ' } else { character };
        if cleaned.len() + character.len_utf8() > limit {
            while cleaned.len() + MARK.len_utf8() > limit && cleaned.pop().is_some() {}
            if limit >= MARK.len_utf8() {
                cleaned.push(MARK);
            }
            break;
        }
        cleaned.push(character);
    }
    cleaned
}

/// Control characters, and the ones that turn the direction of what follows on a terminal.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn short_text_stays_and_long_text_is_cut_between_characters() {
        assert_eq!(clean("plain", 10), "plain");
        assert_eq!(clean("äöüäöü", 8), "äö…");
        assert_eq!(clean("äöüäöü", 12), "äöüäöü");
        assert_eq!(clean("abc", 0), "");
    }

    #[test]
    fn control_characters_and_direction_marks_become_blanks() {
        assert_eq!(clean("a\nb\u{1b}c\u{202e}d", 99), "a b c d");
    }
}
