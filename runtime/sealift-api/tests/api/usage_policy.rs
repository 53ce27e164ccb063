//! Who may use a Repository of another namespace.

use crate::fixture::{Case, backup};

fn elsewhere(policy: &str) -> Case {
    let mut case = backup();
    case.edit("repository.yaml", "  namespace: demo\n", "  namespace: backups\n");
    case.edit(
        "repository.yaml",
        "  usagePolicy:\n    allowedNamespaces:\n      from: Same\n",
        policy,
    );
    case.edit(
        "invoker.yaml",
        "    namespace: demo\n  schedule",
        "    namespace: backups\n  schedule",
    );
    case.edit(
        "secrets.yaml",
        "  name: repository-creds\n  namespace: demo\n",
        "  name: repository-creds\n  namespace: backups\n",
    );
    case
}

#[test]
fn the_policy_decides() {
    let selector = "  usagePolicy:\n    allowedNamespaces:\n      from: Selector\n      selector:\n        matchLabels: {team: a}\n        matchExpressions: [{key: tier, operator: NotIn, values: [dev]}]\n";
    let namespace = |labels: &str| {
        format!("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: demo\n  labels: {labels}\n")
    };
    let mut selected = elsewhere(selector);
    selected.set("namespace.yaml", &namespace("{team: a, tier: prod}"));
    let mut refused = elsewhere(selector);
    refused.set("namespace.yaml", &namespace("{team: a, tier: dev}"));
    let texts = [
        ("all", elsewhere("  usagePolicy: {allowedNamespaces: {from: All}}\n")),
        ("same", elsewhere("  usagePolicy: {allowedNamespaces: {from: Same}}\n")),
        ("none", elsewhere("")),
        ("empty", elsewhere("  usagePolicy: {}\n")),
        ("selected", selected),
        ("not selected", refused),
        ("no Namespace", elsewhere(selector)),
    ]
    .map(|(name, case)| format!("{name}: {}", case.complaint()));
    insta::assert_snapshot!(texts.join("\n---\n"));
}

#[test]
fn every_part_of_a_selector_has_to_fit() {
    for (selector, labels, fits) in [
        ("matchLabels: {team: a}", "{team: a}", true),
        ("matchLabels: {team: a}", "{team: b}", false),
        ("matchLabels: {team: a}", "{}", false),
        ("matchLabels: {team: a, tier: prod}", "{team: a}", false),
        ("matchExpressions: [{key: tier, operator: In, values: [prod]}]", "{tier: prod}", true),
        ("matchExpressions: [{key: tier, operator: In, values: [prod]}]", "{tier: dev}", false),
        ("matchExpressions: [{key: tier, operator: In, values: [prod]}]", "{}", false),
        ("matchExpressions: [{key: tier, operator: Exists}]", "{tier: dev}", true),
        ("matchExpressions: [{key: tier, operator: Exists}]", "{}", false),
        ("matchExpressions: [{key: tier, operator: DoesNotExist}]", "{}", true),
        ("matchExpressions: [{key: tier, operator: DoesNotExist}]", "{tier: dev}", false),
        ("matchExpressions: [{key: tier, operator: Near, values: [dev]}]", "{tier: dev}", false),
    ] {
        let mut case = elsewhere(&format!(
            "  usagePolicy: {{allowedNamespaces: {{from: Selector, selector: {{{selector}}}}}}}\n"
        ));
        case.set(
            "namespace.yaml",
            &format!(
                "apiVersion: v1\nkind: Namespace\nmetadata: {{name: demo, labels: {labels}}}\n"
            ),
        );
        let found = case.complaint();
        let expected = if fits { "no complaint" } else { "is not allowed to refer Repository" };
        assert!(found.contains(expected), "{selector} on {labels}: {found}");
    }
}
