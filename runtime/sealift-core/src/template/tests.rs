#![allow(clippy::unwrap_used, reason = "tests")]
use super::*;

fn data() -> Value {
    Value::fields([
        ("Namespace", Value::text("demo")),
        ("RetryLeft", Value::Number(2)),
        ("Target", Value::fields([("Name", Value::text("vault"))])),
        (
            "Status",
            Value::fields([
                ("Phase", Value::text("Failed")),
                ("Error", Value::text("vault said \"no\"\nand left")),
            ]),
        ),
    ])
}

fn render(template: &str) -> String {
    let template = Template::parse(template).unwrap();
    template.check(&data()).unwrap();
    template.render(&data()).unwrap()
}

#[test]
fn text_without_actions_stays_as_it_is() {
    for text in ["", "plain", "{ \"a\": {} }", "a}}b", "{ { .A } }"] {
        assert_eq!(render(text), text);
    }
}

#[test]
fn what_users_write_renders_as_in_go() {
    for (template, wanted) in [
        ("{{ .Status.Phase }}", "Failed"),
        ("{{.Namespace}}/{{.Target.Name}}", "demo/vault"),
        ("{{ $.Namespace }}", "demo"),
        ("{{ .RetryLeft }}", "2"),
        (
            "{{if eq .Status.Phase `Succeeded`}}:ok:{{else}}:x: {{.Status.Error}}{{end}}",
            ":x: vault said \"no\"\nand left",
        ),
        ("{{ if ne .Status.Phase \"Succeeded\" }}bad{{ end }}", "bad"),
        (
            "{{ if eq .Status.Phase \"a\" }}1{{ else if eq .Status.Phase \"Failed\" \"b\" }}2{{ else }}3{{ end }}",
            "2",
        ),
        ("{{ if and .Namespace (not .Target.Name) }}a{{ else }}b{{ end }}", "b"),
        ("{{ if gt .RetryLeft 1 }}again{{ end }}", "again"),
        ("{{ .Status.Phase | lower | quote }}", "\"failed\""),
        ("{{ .Status.Error | toJson }}", r#""vault said \"no\"\nand left""#),
        ("{{ printf \"%s has %d%%\" .Namespace .RetryLeft }}", "demo has 2%"),
        ("{{ default \"none\" .Namespace }}{{ \"\" | default \"none\" }}", "demonone"),
        ("{{ .Status.Phase | trunc 3 }}{{ trunc -2 .Namespace }}", "Faimo"),
        ("{{ replace \"e\" \"3\" .Namespace }}", "d3mo"),
        ("{{ ternary \"y\" \"n\" (hasPrefix \"va\" .Target.Name) }}", "y"),
        ("{{ urlquery \"a b&c\" }}", "a+b%26c"),
        ("a {{- \"}}\" -}} b", "a}}b"),
        ("a {{- /* a comment }} with an end */ -}} b", "ab"),
        ("{{/* none */}}x", "x"),
        ("{{ print .Namespace 1 true }}", "demo1true"),
    ] {
        assert_eq!(render(template), wanted, "{template}");
    }
}

#[test]
fn what_is_not_supported_is_refused_when_it_is_read() {
    let nested = "{{ if true }}".repeat(40);
    for (template, words) in [
        ("{{ .A", "never closed"),
        ("{{ \"a }}", "no end"),
        ("{{ }}", "lacks a value"),
        ("{{ range .A }}{{ end }}", "\"range\" is not supported"),
        ("{{ $x := .A }}", "\"$x\" is not supported"),
        ("{{ env \"TOKEN\" }}", "\"env\" is not supported"),
        ("{{ if .A }}", "{{ if }} has no partner"),
        ("{{ end }}", "{{ end }} has no partner"),
        ("{{ else }}", "{{ else }} has no partner"),
        ("{{ if .A }}{{ else }}{{ else }}{{ end }}", "{{ else }} has no partner"),
        ("{{ eq .A }}", "eq takes two or more values"),
        ("{{ .A .B }}", "\".B\" cannot stand"),
        ("{{ .A | .B }}", "a function after |"),
        ("{{ (eq 1 1 }}", "a closing bracket"),
        ("{{ .A..B }}", "cannot stand"),
        ("{{ 1.5 }}", "\"1.5\" cannot stand"),
        ("{{ .A & .B }}", "\"&\" cannot stand"),
        (&nested, "nests deeper"),
    ] {
        let error = Template::parse(template).unwrap_err().to_string();
        assert!(error.contains(words), "{template}: {error}");
    }
}

#[test]
fn an_unknown_field_is_found_in_every_branch() {
    for template in [
        "{{ .Nmae }}",
        "{{ if true }}a{{ else }}{{ .Status.Phse }}{{ end }}",
        "{{ quote (print .X) }}",
    ] {
        let error = Template::parse(template).unwrap().check(&data()).unwrap_err().to_string();
        assert!(error.contains("is not known; known are .Namespace, "), "{template}: {error}");
        assert!(error.contains(".Status.Phase"), "{error}");
    }
}
