#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]
use super::*;

const CASES: &str = include_str!("../../../../tests/data/cases/envsubst.tsv");

fn variables(pairs: &[(&str, &str)]) -> Variables {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// What the oracle asks of an error: words the message must hold.
fn words(expected: &str) -> Vec<String> {
    let text = expected.trim_start_matches("ERROR: ");
    for operator in [":?", ":+"] {
        if text.contains(&format!("says that {operator}")) {
            return vec![operator.to_owned(), "not supported".to_owned()];
        }
    }
    if text.contains("(negative length)") {
        return vec!["length is negative".to_owned(), "${p:2:-1}".to_owned()];
    }
    if text.contains("(cut inside a character)") {
        return vec!["inside a character".to_owned(), "${v:0:3}".to_owned()];
    }
    vec![text.to_owned()]
}

#[test]
fn every_recorded_case_gives_what_it_should() {
    let mut count = 0;
    let mut wrong = Vec::new();
    for line in CASES.lines().skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        let (id, expected) = (columns[0], columns[4]);
        let input: String = serde_json::from_str(columns[2]).expect(id);
        let given: Variables = serde_json::from_str(columns[3]).expect(id);
        let found = substitute(&input, &given);
        let right = match (&found, expected.starts_with("ERROR")) {
            (Ok(found), false) => *found == serde_json::from_str::<String>(expected).expect(id),
            (Err(error), true) => {
                let message = error.to_string();
                words(expected).iter().all(|word| message.contains(word))
            }
            _ => false,
        };
        if !right {
            wrong.push(format!("{id}: {input:?} gave {found:?}, expected {expected}"));
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(count, 144);
}

#[test]
fn a_replacement_knows_two_dollars_and_an_escaped_slash() {
    let given = variables(&[("s", "a/b")]);
    assert_eq!(substitute("${s/a/$$x}", &given).unwrap(), "$x/b");
    assert_eq!(substitute("${s/\\//\\/\\/}", &given).unwrap(), "a//b");
    assert_eq!(substitute("${s/}", &given), Err(SubstitutionError::Replacement("${s/}".into())));
}

#[test]
fn a_nested_negative_start_is_an_error_and_no_panic() {
    let given = variables(&[("p", "abc"), ("n", "-2")]);
    let error = substitute("${p:${n}}", &given).unwrap_err();
    assert_eq!(error.to_string(), "cannot cut \"${p:${n}}\": the start is negative");
}

#[test]
fn depth_and_length_are_bounded() {
    let deep = format!("{}{}", "${a:=".repeat(10_000), "}".repeat(10_000));
    assert!(matches!(substitute(&deep, &Variables::new()), Err(SubstitutionError::Depth(_))));
    let given = variables(&[("a", &"x".repeat(1 << 16))]);
    assert_eq!(
        substitute(&"${a}".repeat(32), &given),
        Err(SubstitutionError::Length(MAX_OUTPUT_BYTES))
    );
    assert!(matches!(substitute("${a#*x}", &given), Err(SubstitutionError::Length(_))));
}

#[test]
fn a_star_backtracks() {
    let given = variables(&[("v", "aXbXcXd")]);
    for (text, expected) in [
        ("${v#*X}", "bXcXd"),
        ("${v##*X}", "d"),
        ("${v%X*}", "aXbXc"),
        ("${v%%X*}", "a"),
        ("${v#a*c}", "Xd"),
        ("${v##a*X*X}", "d"),
        ("${v#[^a]}", "aXbXcXd"),
        ("${v#\\a}", "XbXcXd"),
        ("${v#}", "aXbXcXd"),
    ] {
        assert_eq!(substitute(text, &given).unwrap(), expected, "{text}");
    }
}

/// Not random in the strict sense, so that a failure can be repeated: a fixed generator over an
/// alphabet that hits the grammar often.
#[test]
fn no_text_makes_it_panic() {
    let alphabet = [
        "${", "${", "${a", "${a1:", "}", "}", "$", "{", ":", "=", ":=", "-", "+", "?", "#", "%",
        "^", ",", "/", "//", "\\", "*", "[", "]", "a", "1", "_", " ", "\n", "\0", "ß", "☃",
    ];
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut next = |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(bound).unwrap()).unwrap()
    };
    let given = variables(&[("a", "größe/☃/1.10.3"), ("a1", ""), ("1", "-3"), ("_", "$${}")]);
    let (mut good, mut bad) = (0, 0);
    for _ in 0..50_000 {
        let length = next(16);
        let text: String = (0..length).map(|_| alphabet[next(alphabet.len())]).collect();
        match substitute(&text, &given) {
            Ok(_) => good += 1,
            Err(_) => bad += 1,
        }
    }
    assert!(good > 5000 && bad > 5000, "{good} good, {bad} bad: the generator misses the grammar");
}
