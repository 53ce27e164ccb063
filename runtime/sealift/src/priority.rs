//! How much of its node's processors a Job takes from others: `nice` of `runtimeSettings`.
//!
//! Linux keeps it per thread, and a thread begins with that of the one that makes it: so it is set
//! before there is another. Without a class of its own (`ionice`, which is not applied) the order of
//! disk requests follows it, too.

use rustix::process::nice;

/// Adds `adjustment` to the niceness of this thread and of all it will make. A backup is not worse
/// for running as fast as it can: what is refused is only logged.
pub(crate) fn adjust(adjustment: i32) {
    if let Err(error) = nice(adjustment) {
        tracing::warn!(
            %error,
            "spec.runtimeSettings.container.nice.adjustment {adjustment} is not applied; less than 0 needs the capability SYS_NICE in its securityContext"
        );
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::thread::spawn;

    use rustix::process::getpriority_process;

    use super::*;

    #[test]
    fn a_thread_is_nicer_and_so_are_those_it_makes_later() {
        let before = getpriority_process(None).unwrap();
        // In a thread of its own: without privileges it cannot be taken back.
        let after = spawn(|| {
            adjust(3);
            spawn(|| getpriority_process(None).unwrap()).join().unwrap()
        });
        assert_eq!(after.join().unwrap(), (before + 3).min(19));
        assert_eq!(getpriority_process(None).unwrap(), before);
    }
}
