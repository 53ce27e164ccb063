//! The form of what the verbs print for people: a name, then what there is of it, line below line.

use sealift_component::text;

/// Bytes of a line: a line of YAML to add is not cut.
const LINE: usize = 8192;
/// Where the lines begin: behind the longest name.
const COLUMN: usize = 13;

/// Text that grows downwards.
#[derive(Debug, Default)]
pub(super) struct Page(String);

impl Page {
    /// A line of its own.
    pub(super) fn line(&mut self, line: &str) {
        self.0.push_str(text::clean(line, LINE).trim_end());
        self.0.push('\n');
    }

    /// Lines behind a name; none = nothing is printed.
    pub(super) fn rows(&mut self, name: &str, lines: impl IntoIterator<Item = String>) {
        for (index, line) in lines.into_iter().enumerate() {
            let name = if index == 0 { name } else { "" };
            self.line(&format!("{name:<COLUMN$}{line}"));
        }
    }

    /// The whole.
    pub(super) fn into_text(self) -> String {
        self.0
    }
}

/// A size with one digit behind the point, such as `11.6 MiB`.
pub(super) fn size(bytes: u64) -> String {
    let (unit, name) = match bytes {
        0..0x400 => return format!("{bytes} bytes"),
        0x400..0x10_0000 => (1 << 10, "KiB"),
        _ => (1 << 20, "MiB"),
    };
    let tenths = bytes.saturating_mul(10) / unit;
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

/// A number of things, such as `9 812 functions`.
pub(super) fn amount(count: u64, what: &str) -> String {
    let digits = count.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    let plural = if count == 1 { "" } else { "s" };
    format!("{grouped} {what}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_at_a_glance() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (1023, "1023 bytes"),
            (1024, "1.0 KiB"),
            (119_500, "116.6 KiB"),
            (12_163_481, "11.6 MiB"),
            (64 << 20, "64.0 MiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
        assert_eq!(amount(1, "module"), "1 module");
        assert_eq!(amount(41, "module"), "41 modules");
        assert_eq!(amount(9812, "function"), "9 812 functions");
        assert_eq!(amount(1_234_567, "function"), "1 234 567 functions");
    }

    #[test]
    fn a_page_is_in_columns_and_holds_nothing_that_drives_a_terminal() {
        let mut page = Page::default();
        page.line("head \u{1b}[2J");
        page.rows("asks to", ["one".to_owned(), "two".to_owned()]);
        page.rows("none", []);
        assert_eq!(page.into_text(), "head  [2J\nasks to      one\n             two\n");
    }
}
