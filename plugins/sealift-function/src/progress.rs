//! What a Function tells while it runs: logs, phases, bytes, statistics.

use crate::bindings::sealift::function::progress as raw;

/// For authors.
pub fn debug(message: &str) {
    raw::log(raw::Level::Debug, message);
}

/// For operators.
pub fn info(message: &str) {
    raw::log(raw::Level::Info, message);
}

/// For operators: something is not as it should be.
pub fn warn(message: &str) {
    raw::log(raw::Level::Warn, message);
}

/// What the Function is doing now.
pub fn phase(text: &str) {
    raw::phase(text);
}

/// How many bytes there will be.
pub fn total(bytes: u64) {
    raw::total(bytes);
}

/// That many bytes more are done.
pub fn advance(bytes: u64) {
    raw::advance(bytes);
}

/// A figure for the outcome, the status and the metrics of the session.
pub fn statistic(name: &str, value: f64) {
    raw::statistic(name, value);
}
