//! Counts what test programs say they ran.

/// Passed and failed tests, and the names of those that failed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) passed: usize,
    pub(super) failed: usize,
    pub(super) names: Vec<String>,
}

impl Count {
    /// Takes one line a test program printed into account.
    pub(super) fn read(&mut self, line: &str) {
        if let Some(rest) = line.strip_prefix("test result: ") {
            self.passed += number_before(rest, " passed");
            self.failed += number_before(rest, " failed");
        } else if let Some(name) =
            line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED"))
        {
            self.names.push(name.trim_end().to_owned());
        }
    }

    /// Adds another count.
    pub(super) fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.names.extend(other.names.iter().cloned());
    }
}

fn number_before(text: &str, word: &str) -> usize {
    let before = text.split(word).next().unwrap_or_default();
    let digits = before.rsplit(|letter: char| !letter.is_ascii_digit()).next().unwrap_or_default();
    digits.parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_several_programs_add_up() {
        let mut count = Count::default();
        for line in [
            "test names::a_name_with_dots ... ok",
            "test chain::a_killed_stage_completes_nothing ... FAILED",
            "test result: FAILED. 12 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.02s",
            "test result: ok. 30 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.50s",
        ] {
            count.read(line);
        }
        assert_eq!(
            count,
            Count {
                passed: 42,
                failed: 1,
                names: vec!["chain::a_killed_stage_completes_nothing".to_owned()]
            }
        );
    }
}
