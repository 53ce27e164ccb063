//! A registry that lies: what no real one does on demand.
//!
//! It knows nothing of registries. A test says what is answered to which request, byte by byte if
//! it must, and sees afterwards what was asked, by whom, and how much was taken of an answer.

pub mod double;
