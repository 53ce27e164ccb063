//! The controllers, one folder a kind, with the same steps of the same names in each:
//! `dereference` reads what an object names, `validate` judges it (pure), `build` makes what
//! should be there (pure, in `crate::build`), `apply` makes it so, `status` writes what came of
//! it, `finish` ends a session, `cleanup` lets a deleted object go. A step that a kind does not
//! need is not there.

pub mod backup_configuration;
pub mod backup_session;
pub(crate) mod finalizer;
pub mod job;
pub mod launch;
pub(crate) mod pull_secrets;
pub mod push;
pub(crate) mod queued;
pub mod references;
pub mod repository;
pub mod restore_session;
pub mod trigger;
pub(crate) mod unreadable;
