//! Running a program of a toolchain: quiet when it succeeds, its own words when it fails.

use std::path::Path;
use std::process::{Command, Stdio};

use super::BuildError;

/// The end of what a failing tool printed. Compilers say what matters last, and a screen is full
/// long before this.
const MOST_SAID: usize = 16 << 10;

/// Runs it to its end and returns what it printed to its standard output.
///
/// # Errors
/// It cannot be started, or ended with anything but success.
pub(crate) fn run(command: &mut Command) -> Result<Vec<u8>, BuildError> {
    let program = Path::new(command.get_program())
        .file_name()
        .unwrap_or(command.get_program())
        .to_string_lossy()
        .into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|source| BuildError::Start { program: program.clone(), source })?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.push_str(&String::from_utf8_lossy(&output.stderr));
    Err(BuildError::Tool {
        program,
        ended: match output.status.code() {
            Some(code) => format!("ended with exit code {code}"),
            None => "was killed".to_owned(),
        },
        said: tail(said.trim(), MOST_SAID).to_owned(),
    })
}

/// The last bytes of a text, from the beginning of a line where there is one.
fn tail(text: &str, most: usize) -> &str {
    let Some(mut start) = text.len().checked_sub(most) else { return text };
    while !text.is_char_boundary(start) {
        start += 1;
    }
    let end = text.get(start..).unwrap_or_default();
    end.split_once('\n').map_or(end, |(_, lines)| lines)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_tool_that_fails_is_heard_and_one_that_is_not_there_is_named() {
        let error = run(Command::new("sh").args(["-c", "echo out; echo err >&2; exit 3"]));
        assert_eq!(error.unwrap_err().to_string(), "sh ended with exit code 3:\nout\nerr");
        let error = run(&mut Command::new("/none/compiler")).unwrap_err();
        assert_eq!(error.to_string(), "failed to start compiler");
        assert_eq!(run(Command::new("echo").arg("x")).unwrap(), b"x\n");
    }

    #[test]
    fn a_long_text_is_cut_at_a_line() {
        assert_eq!(tail("abc", 10), "abc");
        assert_eq!(tail("first\nsecond\nthird", 14), "second\nthird");
        assert_eq!(tail("first\nsecond\nthird", 11), "third");
        assert_eq!(tail("ääää", 3), "ä");
    }
}
