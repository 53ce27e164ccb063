//! The most that is ever read of each kind of answer. What is longer is cut while it is read.

/// A manifest, as the distribution specification bounds it.
pub const MANIFEST: u64 = 4 << 20;
/// A config: a few lines of JSON.
pub const CONFIG: u64 = 1 << 20;
/// A bundle: a signature, a certificate and a proof of a log.
pub const BUNDLE: u64 = 1 << 20;
/// What a token service answers.
pub const TOKEN: u64 = 256 << 10;
/// What comes with an error.
pub const ERROR: u64 = 64 << 10;
/// A component.
pub const LAYER: u64 = 64 << 20;
/// A page of a list.
pub const PAGE: u64 = 4 << 20;
/// Pages of a list.
pub const PAGES: usize = 64;
/// Tags of a repository.
pub const TAGS: usize = 10_000;
/// What refers to a manifest; a registry may list more, and only so many are looked at.
pub const REFERRERS: usize = 32;
/// What a list of referrers may hold.
pub const LISTED: usize = 10_000;
/// Redirects of one request.
pub const REDIRECTS: usize = 5;
/// Tokens that are kept.
pub const TOKENS: usize = 256;
