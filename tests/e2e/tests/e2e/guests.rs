//! Functions that misbehave fail their chain cleanly, with their name in the message.

use std::sync::Arc;

use libtest_mimic::Trial;

use crate::world::World;

pub fn tests(_: &Arc<World>) -> Vec<Trial> {
    Vec::new()
}
