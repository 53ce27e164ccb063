//! The harness of the tests of the whole: real servers on loopback, the real `sealift` binary,
//! restic as the referee, and the manifests a user of a cluster would write.
//!
//! Every server gets a free port and a folder of its own, is waited for by asking it, and is
//! ended by its process id when its value is dropped. Nothing here decides what is right:
//! the tests do. `cargo xtask quickstart` plays its scene with the same parts.

pub mod binaries;
pub mod etcd;
pub mod manifests;
pub mod oci;
pub mod process;
pub mod pushgateway;
pub mod registry;
pub mod rest_server;
pub mod restic;
pub mod s3;
pub mod sealift;
pub mod secrets;
pub mod supply;
pub mod vault;
pub mod vault_cluster;
pub mod wait;
