//! Waiting for a condition by asking again, with a generous limit.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Long enough for every server to start on a machine that is busy building something else.
pub const START_LIMIT: Duration = Duration::from_secs(120);

/// Between two questions: short against every start, long against the cost of a request.
const PAUSE: Duration = Duration::from_millis(50);

/// Asks until `ask` answers with a value; its errors end the wait at once.
pub fn until<T>(
    what: &str,
    limit: Duration,
    mut ask: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(value) = ask()? {
            return Ok(value);
        }
        if start.elapsed() > limit {
            bail!("{what}: not seen within {} s", limit.as_secs());
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "the pause of a poll; the condition decides, not the time"
        )]
        std::thread::sleep(PAUSE);
    }
}
