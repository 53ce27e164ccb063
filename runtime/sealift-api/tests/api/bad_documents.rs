//! Files that cannot be read: every message names file, document and object.

use std::time::{Duration, Instant};

use sealift_api::objects::{Objects, SourceFile};

use crate::fixture::chain;

fn complaint(text: &str) -> String {
    match Objects::read([SourceFile { name: "a.yaml", text }], "default") {
        Ok((_, warnings)) => {
            warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        }
        Err(errors) => errors.iter().map(|error| chain(error)).collect::<Vec<_>>().join("\n"),
    }
}

const TASK: &str = "apiVersion: stash.appscode.com/v1beta1\nkind: Task\nmetadata: {name: t}\n";

#[test]
fn every_mistake_is_named() {
    let task = |rest: &str| format!("{TASK}{rest}");
    let texts = [
        "just text".to_owned(),
        "- a\n- b\n".to_owned(),
        "kind: Task\nmetadata: {name: t}\n".to_owned(),
        "apiVersion: stash.appscode.com/v1beta1\nmetadata: {name: t}\n".to_owned(),
        "apiVersion: stash.appscode.com/v1beta1\nkind: Task\nspec: {}\n".to_owned(),
        "apiVersion: stash.appscode.com/v1beta1\nkind: Task\nmetadata: {name: 5}\nspec: {}\n".to_owned(),
        "apiVersion: stash.appscode.com/v1alpha1\nkind: Task\nmetadata: {name: t}\nspec: {}\n".to_owned(),
        "apiVersion: stash.appscode.com/v1beta1\nkind: Task\nmetadata: {name: ../etc}\nspec: {}\n".to_owned(),
        "apiVersion: v1\nkind: Secret\nmetadata: {name: t, namespace: De.Mo}\n".to_owned(),
        task(""),
        task("spec: []\n"),
        task("spec: {steps: {name: f}}\n"),
        task("spec: {steps: [{name: f, params: [{name: 1, value: x}]}]}\n"),
        task("spec: {steps: [{name: f, params: [{name: x, value: true}]}]}\n"),
        task("spec: {}\nspec: {}\n"),
        task("spec: {steps: [}\n"),
        task("spec:\n\tsteps: []\n"),
        format!("{TASK}spec: {{}}\n---\n# nothing\n---\n{TASK}spec: {{}}\n"),
        task("spec: {stepz: [], steps: [{name: f, parms: []}]}\nextra: 1\n"),
        "apiVersion: kubevault.com/v1alpha2\nkind: VaultServer\nmetadata: {name: vault}\nspec: {}\n".to_owned(),
        "apiVersion: example.com/v1\nkind: Task\nmetadata: {name: t}\nspec: {}\n".to_owned(),
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndatas: {}\n".to_owned(),
    ];
    let found: Vec<String> = texts.iter().map(|text| complaint(text)).collect();
    for (text, found) in texts.iter().zip(&found) {
        assert!(!found.is_empty(), "{text}");
    }
    insta::assert_snapshot!(found.join("\n---\n"));
}

#[test]
fn empty_files_and_empty_fields_are_no_mistake() {
    assert_eq!(complaint(""), "");
    assert_eq!(complaint("---\n---\n# nothing\n"), "");
    assert_eq!(complaint(&format!("{TASK}spec:\n  steps:\n  volumes: null\n")), "");
}

#[test]
fn a_list_is_opened() {
    let list = format!(
        "apiVersion: v1\nkind: List\nitems:\n- {}\n- apiVersion: v1\n  kind: Secret\n  metadata: {{name: s}}\n",
        format!("{TASK}spec: {{}}").replace('\n', "\n  ")
    );
    let (objects, warnings) =
        Objects::read([SourceFile { name: "a.yaml", text: &list }], "default").unwrap();
    assert_eq!(warnings, []);
    assert!(objects.task("t").is_some() && objects.secret("default", "s").is_some());
}

/// None of these may take long or much memory; the bound is far above what they take.
#[test]
fn hostile_files_are_refused_quickly() {
    let mut laughs = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for level in 1..20 {
        let before = format!("*a{},", level - 1).repeat(10);
        laughs.push_str(&format!("a{level}: &a{level} [{before}]\n"));
    }
    let files = [
        ("billion laughs", laughs),
        ("deep flow", format!("{}{}", "[".repeat(100_000), "]".repeat(100_000))),
        ("deep block", (0..2000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect()),
        ("many nodes", format!("a: [{}]", "1,".repeat(300_000))),
        ("many documents", "---\na: 1\n".repeat(5000)),
        ("huge", "a".repeat(9 << 20)),
        ("self reference", "a: &a [*a]\n".to_owned()),
        ("many aliases", format!("a: &a x\nb: [{}]\n", "*a,".repeat(1500))),
        ("many aliases of many anchors", {
            let anchors: String = (0..200).map(|nth| format!("a{nth}: &a{nth} x\n")).collect();
            let aliases: String = (0..1500).map(|nth| format!("*a{},", nth % 200)).collect();
            format!("{anchors}b: [{aliases}]\n")
        }),
    ];
    for (name, text) in files {
        let begin = Instant::now();
        let found = complaint(&text);
        assert!(found.starts_with("a.yaml: cannot be read as YAML: "), "{name}: {found:.300}");
        assert!(found.len() < 300, "{name}: {found:.300}");
        assert!(begin.elapsed() < Duration::from_secs(30), "{name} took {:?}", begin.elapsed());
    }
}

#[test]
fn the_same_object_in_two_files_is_named_with_both_places() {
    let files = ["a.yaml", "b.yaml"].map(|name| (name, format!("{TASK}spec: {{}}\n")));
    let files = files.iter().map(|(name, text)| SourceFile { name, text });
    let errors = Objects::read(files, "default").unwrap_err();
    assert_eq!(
        chain(&errors[0]),
        "b.yaml document 1 (line 1): Task t is already in a.yaml document 1 (line 1)"
    );
}

#[test]
fn no_text_makes_the_reader_panic() {
    let alphabet = [
        "apiVersion: v1\n",
        "kind: Secret\n",
        "metadata:\n",
        "  name: a\n",
        "data:\n",
        "- ",
        ": ",
        "{",
        "}",
        "[",
        "]",
        "&a ",
        "*a ",
        "!!binary ",
        "|\n",
        ">\n",
        "\"",
        "'",
        "#",
        "---\n",
        "...\n",
        "\t",
        "\0",
        "\u{feff}",
        "é",
        "\\",
        "%YAML 1.2\n",
        "<<: ",
        "? ",
        "~",
        "1e999",
        "0x1",
    ];
    let mut state: u64 = 0x2545_f491_4f6c_dd1d;
    let mut next = |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(bound).unwrap()).unwrap()
    };
    for _ in 0..20_000 {
        let length = next(20);
        let text: String = (0..length).map(|_| alphabet[next(alphabet.len())]).collect();
        let _ = Objects::read([SourceFile { name: "a.yaml", text: &text }], "default");
    }
}

#[test]
fn unknown_fields_are_named_wherever_they_are() {
    let app_binding = "apiVersion: appcatalog.appscode.com/v1alpha1\nkind: AppBinding\nmetadata: {name: v}\nspec:\n  clientConfig: {url: http://v, caBundel: x}\n  parameters: {apiVersion: config.kubevault.com/v1alpha1, kind: VaultServerConfiguration, unsealr: {}, unsealer: {mode: {kubernetesSecret: {name: x}}}}\n";
    let local = "apiVersion: stash.appscode.com/v1alpha1\nkind: Repository\nmetadata: {name: r}\nspec:\n  backend: {local: {mountPath: /a, hostPth: {path: /b}, hostPath: {path: /b, typ: x}}}\n";
    insta::assert_snapshot!([complaint(app_binding), complaint(local)].join("\n"));
}
