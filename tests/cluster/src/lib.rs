//! A real Kubernetes on one machine, for tests: control plane, node, `kubectl`, and the operator.
//!
//! Everything is started from binaries that `cargo xtask servers` built, with free ports,
//! certificates and folders of its own, and is ended by process id. [`namespaces`] puts the whole
//! run into namespaces of the kernel, so that nothing of it is seen outside and nothing outlives
//! it. Nothing here decides what is right: the tests do.

pub mod audit;
pub mod certificates;
pub mod client;
mod control_groups;
pub mod control_plane;
pub mod helm;
pub mod images;
pub mod kubectl;
pub mod manifests;
pub mod namespaces;
pub mod node;
pub mod operator;
pub mod workloads;

pub use client::{Client, Resource};
pub use control_plane::ControlPlane;
pub use kubectl::Kubectl;
