//! Why a Function ended without a result, in words for people.
//!
//! The text of a trap with all its context holds frames of the host; what is told here is the
//! cause, the functions of the component, and the end of its standard error, where languages
//! put the message of a panic or an exception.

use wasmtime::WasmBacktrace;
use wasmtime_wasi::I32Exit;

use crate::error::FunctionError;
use crate::limiter::LimitReached;
use crate::text;

/// Functions of the component that are named.
const FRAMES: usize = 12;
/// Longest name of one; mangled names can be long.
const FRAME_BYTES: usize = 200;
/// Longest cause.
const CAUSE_BYTES: usize = 1024;

/// The error behind a failed instantiation or call.
pub(crate) fn explain(error: &wasmtime::Error, stderr: &str) -> FunctionError {
    if let Some(LimitReached(limit)) = error.downcast_ref::<LimitReached>() {
        return limit.clone();
    }
    let backtrace: Vec<String> = error
        .downcast_ref::<WasmBacktrace>()
        .map(|backtrace| {
            backtrace
                .frames()
                .iter()
                .take(FRAMES)
                .map(|frame| match frame.func_name() {
                    Some(name) => text::clean(name, FRAME_BYTES),
                    None => format!("function {}", frame.func_index()),
                })
                .collect()
        })
        .unwrap_or_default();
    let cause = if let Some(I32Exit(code)) = error.downcast_ref::<I32Exit>() {
        format!("it called exit with code {code} instead of returning")
    } else if let Some(trap) = error.downcast_ref::<wasmtime::Trap>() {
        trap.to_string()
    } else if backtrace.is_empty() {
        // Nothing ran yet: its imports or exports have other types than this host's.
        return FunctionError::InvalidState(format!(
            "the component does not fit this host: {}",
            text::clean(&format!("{error:#}"), CAUSE_BYTES)
        ));
    } else {
        error.root_cause().to_string()
    };
    let mut message = text::clean(&cause, CAUSE_BYTES);
    if let Some(line) = last_words(stderr) {
        message.push_str("; its last words were: ");
        message.push_str(&text::clean(&line, CAUSE_BYTES));
    }
    FunctionError::Trap {
        message,
        function: backtrace.first().cloned(),
        backtrace,
        stderr: stderr.to_owned(),
    }
}

/// The part of the standard error that says most: from the last `panicked at`, else the last line.
fn last_words(stderr: &str) -> Option<String> {
    let lines: Vec<&str> = stderr
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("note:"))
        .collect();
    let from = lines.iter().rposition(|line| line.contains("panicked at"));
    match from {
        Some(from) => lines.get(from..).map(|lines| lines.join(" ")),
        None => lines.last().map(|line| (*line).to_owned()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_last_words_are_the_panic_or_the_last_line() {
        let panic = "noise\nthread '<unnamed>' panicked at src/lib.rs:1:2:\nboom\nnote: run with `RUST_BACKTRACE=1`\n";
        assert_eq!(
            last_words(panic).unwrap(),
            "thread '<unnamed>' panicked at src/lib.rs:1:2: boom"
        );
        assert_eq!(last_words("a\nTypeError: x\n\n").unwrap(), "TypeError: x");
        assert_eq!(last_words(" \n"), None);
    }
}
