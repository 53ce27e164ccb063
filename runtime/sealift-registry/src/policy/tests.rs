use super::*;
use crate::signature::SigningKey;

fn none(_: &str) -> io::Result<String> {
    Err(io::ErrorKind::NotFound.into())
}

fn policy(yaml: &str) -> Policy {
    Policy::read(yaml, &none).unwrap_or_else(|errors| panic!("{errors:?}"))
}

fn indented(key: &SigningKey) -> String {
    key.public().pem().replace('\n', "\n        ")
}

#[test]
fn the_first_rule_that_matches_decides() {
    let key = SigningKey::generate().unwrap();
    let policy = policy(&format!(
        "policies:\n  - images: [\"ghcr.io/acme/*\"]\n    namespaces: [\"team-*\"]\n    signature: required\n    keys:\n    - name: acme\n      publicKey: |\n        {}\n  - images: [\"ghcr.io/**\", \"localhost:5000/**\"]\n    signature: none\n",
        indented(&key)
    ));
    let of = |text: &str| policy.rule(&text.parse().unwrap()).map(|rule| rule.demand);
    assert_eq!(of("ghcr.io/acme/export:1"), Some(Demand::Required));
    assert_eq!(of("ghcr.io/acme/deep/export:1"), Some(Demand::None));
    assert_eq!(of("localhost:5000/x"), Some(Demand::None));
    assert_eq!(of("localhost:5001/x"), None);
    assert_eq!(of("quay.io/acme/export"), None);
    let rule = policy.rule(&"ghcr.io/acme/export:1".parse().unwrap()).unwrap();
    assert!(rule.permits("team-a") && !rule.permits("team/a") && !rule.permits("other"));
    assert_eq!(rule.trust.keys.first().unwrap().key, key.public());
    let rule = policy.rule(&"ghcr.io/other/x".parse().unwrap()).unwrap();
    assert!(rule.permits("anything"));
}

#[test]
fn no_rule_means_that_nobody_is_asked() {
    assert!(policy("policies: []").rule(&"ghcr.io/a/b".parse().unwrap()).is_none());
    let everything = Policy::of_everything();
    assert_eq!(everything.rule(&"a.io/b".parse().unwrap()).unwrap().demand, Demand::None);
    let signers = Policy::of_signers(Trust::default());
    assert_eq!(signers.rule(&"a.io/b".parse().unwrap()).unwrap().demand, Demand::Required);
}

#[test]
fn all_that_is_wrong_is_told_with_its_place() {
    let of = |yaml: &str| {
        let errors = Policy::read(yaml, &none).err().unwrap_or_default();
        errors.iter().map(|error| sealift_core::causes::chain_of_causes(error)).collect::<Vec<_>>()
    };
    assert_eq!(
        of(
            "policies:\n- images: [\"a/***\", \"\"]\n  signature: required\n- images: []\n  signature: none\n  keys: [{name: a, publicKey: x}]\n- images: [\"a.io/**\"]\n  signature: optional\n  identities: [{name: \"\", issuer: i, subject: s, trustedRoot: root.json}]\n"
        ),
        [
            "policies[0].signature: it is required, and neither keys nor identities say of whom",
            "policies[0].images[0]: \"a/***\": the pattern has more than two `*` in a row",
            "policies[0].images[1]: \"\": the pattern is empty",
            "policies[1].images: it is empty, so the rule matches nothing",
            "policies[1].signature: it is none, so keys and identities would not be looked at",
            "policies[1].keys[0].publicKey: it is no PEM file with one block in it",
            "policies[2]: keys and identities have a name each, and no two one",
            "policies[2].identities[0].trustedRoot: failed to read root.json: entity not found",
        ]
    );
    for yaml in [
        "policies:\n- images: [\"a.io/**\"]\n",
        "policies:\n- images: [\"a.io/**\"]\n  signature: maybe\n",
        "policies:\n- images: [\"a.io/**\"]\n  signature: none\n  key: x\n",
        "policy: []\n",
        "",
        "policies: [",
    ] {
        let errors = of(yaml);
        assert!(
            errors.len() == 1 && errors[0].contains("the trust policy is not read"),
            "{errors:?}"
        );
    }
}

#[test]
fn the_digest_changes_with_every_file_the_policy_is_made_of() {
    let yaml = "policies:\n- images: [\"a.io/**\"]\n  signature: required\n  identities: [{name: ci, issuer: i, subject: s, trustedRoot: r}]\n";
    let root = r#"{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}"#;
    let of = |root: String| Policy::read(yaml, &move |_| Ok(root.clone())).ok().unwrap().digest();
    assert_eq!(of(root.to_owned()), of(root.to_owned()));
    assert_ne!(of(root.to_owned()), of(format!("{root}\n")));
}
