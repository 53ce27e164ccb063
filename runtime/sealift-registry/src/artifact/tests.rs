use super::*;

fn publication() -> Publication {
    Publication {
        name: "export".to_owned(),
        version: "0.1.0".to_owned(),
        summary: "Stores the images of an OCI registry.".to_owned(),
        kind: "source".to_owned(),
        contract: "0.1.0".to_owned(),
        exports: vec!["sealift:function/source@0.1.0".to_owned()],
        imports: vec!["sealift:function/downstream@0.1.0".to_owned()],
        descriptor: r#"{"name":"export"}"#.to_owned(),
        created: Timestamp::UNIX_EPOCH,
        author: None,
        annotations: BTreeMap::from([("org.example/team".to_owned(), "blue".to_owned())]),
    }
}

#[test]
fn the_form_is_that_of_the_specification_and_its_digest_the_same_everywhere() {
    let artifact = build(b"\0asm", &publication());
    let wasm = "sha256:cd5d4935a48c0672cb06407bb443bc0087aff947c6b864bac886982c73b3027f";
    assert_eq!(
        String::from_utf8(artifact.config.clone()).unwrap(),
        format!(
            r#"{{"created":"1970-01-01T00:00:00Z","author":null,"architecture":"wasm","os":"wasip2","layerDigests":["{wasm}"],"component":{{"exports":["sealift:function/source@0.1.0"],"imports":["sealift:function/downstream@0.1.0"],"target":null}}}}"#
        )
    );
    let config = Digest::of(&artifact.config);
    assert_eq!(
        String::from_utf8(artifact.manifest.clone()).unwrap(),
        format!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{{"mediaType":"application/vnd.wasm.config.v0+json","digest":"{config}","size":{}}},"layers":[{{"mediaType":"application/wasm","digest":"{wasm}","size":4,"annotations":{{"org.opencontainers.image.title":"export.wasm"}}}}],"annotations":{{"org.example/team":"blue","org.opencontainers.image.created":"1970-01-01T00:00:00Z","org.opencontainers.image.description":"Stores the images of an OCI registry.","org.opencontainers.image.title":"export","org.opencontainers.image.version":"0.1.0","sealift.dev/contract":"0.1.0","sealift.dev/descriptor":"{{\"name\":\"export\"}}","sealift.dev/kind":"source"}}}}"#,
            artifact.config.len()
        )
    );
    assert_eq!(build(b"\0asm", &publication()), artifact);
    let form = read(&artifact.manifest, MANIFEST).unwrap();
    assert_eq!(form.component, artifact.component);
    assert!(form.notes.is_empty());
    check_config(&artifact.config, &form.component).unwrap();
}

#[test]
fn an_annotation_of_the_publisher_never_replaces_ours() {
    let mut publication = publication();
    publication.annotations.insert(KIND.to_owned(), "sink".to_owned());
    let form = read(&build(b"\0asm", &publication).manifest, MANIFEST).unwrap();
    assert_eq!(form.annotations.get(KIND).map(String::as_str), Some("source"));
}

fn manifest(config: &str, layers: &[&str]) -> String {
    let layers: Vec<String> = layers
        .iter()
        .map(|media_type| {
            format!(r#"{{"mediaType":"{media_type}","digest":"{}","size":1}}"#, Digest::of(b"x"))
        })
        .collect();
    format!(
        r#"{{"schemaVersion":2,"config":{{"mediaType":"{config}","digest":"{}","size":2}},"layers":[{}]}}"#,
        Digest::of(b"{}"),
        layers.join(",")
    )
}

#[test]
fn older_forms_are_read_with_a_note() {
    for (config, layer, notes) in [
        (CONFIG, LAYER, 0),
        (LEGACY_CONFIG, LEGACY_LAYERS[0], 2),
        (LEGACY_CONFIG, LAYER, 1),
        (CONFIG, LEGACY_LAYERS[1], 1),
        (EMPTY, LAYER, 1),
        ("application/vnd.unknown.config.v1+json", LAYER, 1),
    ] {
        let form = read(manifest(config, &[layer]).as_bytes(), MANIFEST).unwrap();
        assert_eq!(form.notes.len(), notes, "{config} {layer}: {:?}", form.notes);
    }
}

#[test]
fn what_is_no_component_is_named() {
    let image = manifest(IMAGE_CONFIGS[0], &["application/vnd.oci.image.layer.v1.tar+gzip"]);
    let large = manifest(CONFIG, &[LAYER]).replace("\"size\":1", "\"size\":99999999999");
    for (text, media_type, expected) in [
        (image.clone(), MANIFEST, ArtifactError::Image),
        (manifest(IMAGE_CONFIGS[1], &["x"]), DOCKER_MANIFEST, ArtifactError::Image),
        // An image whose layer pretends to be a component is still an image.
        (manifest(IMAGE_CONFIGS[0], &[LAYER]), MANIFEST, ArtifactError::Image),
        (r#"{"manifests":[]}"#.to_owned(), INDEX, ArtifactError::Index),
        (
            r#"{"mediaType":"application/vnd.oci.image.index.v1+json"}"#.to_owned(),
            "",
            ArtifactError::Index,
        ),
        (r#"{"schemaVersion":1,"fsLayers":[]}"#.to_owned(), "", ArtifactError::Image),
        (manifest(CONFIG, &[LAYER, LAYER]), MANIFEST, ArtifactError::Layers(2)),
        (manifest(CONFIG, &[]), MANIFEST, ArtifactError::Layers(0)),
        (
            manifest(CONFIG, &["text/plain"]),
            MANIFEST,
            ArtifactError::Layer { found: "text/plain".to_owned() },
        ),
        (large, MANIFEST, ArtifactError::TooLarge { size: 99_999_999_999, most: limits::LAYER }),
    ] {
        assert_eq!(read(text.as_bytes(), media_type), Err(expected), "{text}");
    }
    for (text, media_type) in [
        ("", MANIFEST),
        ("[]", MANIFEST),
        (manifest(CONFIG, &[LAYER]).as_str(), "text/html"),
        (r#"{"mediaType":"application/vnd.oci.image.manifest.v1+json"}"#, INDEX),
        (&manifest(CONFIG, &[LAYER]).replace("sha256:", "sha512:"), MANIFEST),
        (&manifest(CONFIG, &[LAYER]).replace("\"size\":1", "\"size\":-1"), MANIFEST),
    ] {
        assert!(
            matches!(read(text.as_bytes(), media_type), Err(ArtifactError::Form { .. })),
            "{text}"
        );
    }
}

#[test]
fn a_config_of_another_component_is_refused() {
    let artifact = build(b"\0asm", &publication());
    let other = build(b"\0asm2", &publication());
    check_config(&other.config, &artifact.component).unwrap_err();
    for text in ["", "{}", r#"{"layerDigests":[]}"#, r#"{"architecture":"amd64"}"#] {
        check_config(text.as_bytes(), &artifact.component).unwrap_err();
    }
}
