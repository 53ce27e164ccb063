//! Components made byte by byte, good ones and hostile ones, and what is said of them.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod hostile;
mod inspected;
mod make;
mod sections;
mod stripped;
