//! The Job's side in a cluster: the plan is proven, objects are read live, locks are Leases, and
//! what happened is written into status, events and the termination message.
//!
//! `job` is the flow; `objects`, `locks` and `exec` are the adapters of the session's ports.
//! The session itself is the same as on a machine without a cluster.

mod ask;
mod events;
mod exec;
mod job;
mod kept;
mod live;
mod locks;
mod objects;
mod plan_file;
mod record;
mod told;
mod wipe;
mod write;

pub use ask::{AskError, Said, ask};
pub use events::LogEvents;
pub use exec::ClusterExec;
pub use job::{Job, Place, observe, run};
pub use live::{Live, LiveError};
pub use locks::LeaseLocks;
pub use objects::ClusterObjects;
pub use plan_file::{PlanFileError, read as read_plan};
pub use told::{SOURCE, Told, told};
pub use wipe::{Wiping, wipe};
