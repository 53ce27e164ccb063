//! The only wrapper on the Kubernetes client.
//!
//! What the operator and the Job both do with an API server has one room each: `apply`, `read`,
//! `delete`, `status`, `event`, `watch`, `leader`, `lease`, `ownership`, `server_time`. Every call
//! has a time limit and one error type that says whose fault it is. What is in the objects is not known here.

pub mod apply;
pub mod backoff;
pub mod clock;
pub mod connect;
pub mod delete;
pub mod error;
pub mod event;
pub mod holders;
pub mod leader;
pub mod lease;
pub mod ownership;
pub mod read;
mod request;
pub mod server_time;
pub mod status;
pub mod watch;

pub use clock::{Clock, SystemClock};
pub use connect::connect;
pub use error::{Class, Error, Result};
pub use kube;
