//! Holds a run of `sealift` somewhere on its way until the test lets it go on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Result, bail};
use sealift_e2e::sealift::Running;
use sealift_e2e::wait;

/// A run that is not held by then goes another way.
const LIMIT: Duration = Duration::from_secs(240);

/// Holds the first that comes by.
pub struct Trap {
    armed: AtomicBool,
    reached: Sender<()>,
    released: Mutex<Receiver<()>>,
}

/// The test's end of a trap. Dropping it lets go whoever is held.
pub struct Hand {
    reached: Receiver<()>,
    _release: Sender<()>,
}

/// A trap and its other end.
pub fn trap() -> (Arc<Trap>, Hand) {
    let (reached, reached_here) = channel();
    let (release, released) = channel();
    let trap = Trap { armed: AtomicBool::new(true), reached, released: Mutex::new(released) };
    (Arc::new(trap), Hand { reached: reached_here, _release: release })
}

impl Trap {
    /// Whether nobody has come by yet.
    pub fn is_armed(&self) -> bool {
        self.armed.load(Ordering::SeqCst)
    }

    /// Holds the first caller until the hand is gone; everybody else passes.
    pub fn hold(&self) {
        if self.armed.swap(false, Ordering::SeqCst) {
            let _ = self.reached.send(());
            // Nothing is ever sent: the other end is dropped.
            let _ = self.released.lock().unwrap().recv();
        }
    }
}

impl Hand {
    /// Waits until a run is held; one that ends instead is an error with all that it said.
    pub fn wait_for(&self, mut run: Running) -> Result<Running> {
        let held = wait::until("the run is held", LIMIT, || {
            if self.reached.try_recv().is_ok() {
                return Ok(Some(true));
            }
            Ok(run.has_ended()?.then_some(false))
        })?;
        if !held {
            bail!("the run ended before it could be held: {}", run.wait()?.text());
        }
        Ok(run)
    }
}
