//! What a WIT file says, without how it is explained: comments may become better after a release,
//! and nothing else may change.

/// The tokens of a text, one a line.
pub(super) fn tokens(text: &str) -> String {
    let mut tokens = String::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let behind = if rest.starts_with("//") {
            rest.split_once('\n').map_or("", |(_, behind)| behind)
        } else if rest.starts_with("/*") {
            behind_comment(rest)
        } else {
            let (token, behind) = rest.split_at(length(rest, first));
            tokens.push_str(token);
            tokens.push('\n');
            behind
        };
        rest = behind.trim_start();
    }
    tokens
}

/// How long the first token is: a word, or a single sign. Names have dashes, and `->` is none.
fn length(text: &str, first: char) -> usize {
    if !first.is_alphanumeric() && !"_%".contains(first) {
        return first.len_utf8();
    }
    let end = text.char_indices().find(|(place, c)| {
        let arrow = text.get(*place..).is_some_and(|rest| rest.starts_with("->"));
        arrow || !(c.is_alphanumeric() || "_%-".contains(*c))
    });
    end.map_or(text.len(), |(place, _)| place)
}

/// What comes after a comment that may hold others.
fn behind_comment(text: &str) -> &str {
    let mut depth = 0_usize;
    let mut rest = text;
    loop {
        let Some(mark) = rest.find("/*").into_iter().chain(rest.find("*/")).min() else {
            return "";
        };
        depth = match rest.get(mark..mark + 2) {
            Some("/*") => depth + 1,
            _ => depth.saturating_sub(1),
        };
        rest = rest.get(mark + 2..).unwrap_or_default();
        if depth == 0 {
            return rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "package a:b@0.1.0;\n\n/// Says.\ninterface x { // here\n  %list: func(a-b: \
                        u8)->option<u64>;\n}\n";

    #[test]
    fn comments_and_blanks_say_nothing() {
        for same in [
            "package a:b@0.1.0; interface x { %list: func(a-b: u8) -> option<u64>; }",
            "/* one /* two */ still */package a : b@0.1.0;interface x{%list:func(a-b:u8)->option<u64>;}//",
        ] {
            assert_eq!(tokens(same), tokens(TEXT), "{same}");
        }
    }

    #[test]
    fn every_other_change_is_one() {
        for (from, to) in [
            ("0.1.0", "0.1.1"),
            ("u8", "u16"),
            ("a-b", "a"),
            ("%list", "list"),
            ("option<u64>", "u64"),
            ("\n}", "\n  y: func();\n}"),
        ] {
            let changed = TEXT.replacen(from, to, 1);
            assert_ne!(tokens(&changed), tokens(TEXT), "{from}");
        }
        assert_eq!(tokens("a /* that never ends"), "a\n");
    }
}
