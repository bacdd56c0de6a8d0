use super::*;

const TOML: &str = r#"
name = "net"
licence = "MIT"
file = "net.onnx"
sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

[input]
width = 32
height = 32
layout = "nchw"
colour = "rgb"
fit = "stretch"
scale = 255.0
mean = [0.5, 0.5, 0.5]
std = [0.5, 0.5, 0.5]
"#;

fn parse(text: &str) -> Result<ModelSpec, CatalogueError> {
    ModelSpec::parse(text, Path::new("model.toml"))
}

fn words(error: CatalogueError) -> String {
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        words += &format!(": {error}");
        cause = error.source();
    }
    words
}

#[test]
fn what_is_built_in_is_well_formed() {
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<String> =
        list(folder.path()).unwrap().iter().map(|e| e.spec.name.to_string()).collect();
    assert_eq!(
        names,
        ["efficientnet_lite0", "mobilenet_v2", "resnet50_nsfw", "text_angle", "vgg16_mri"]
    );
    let bytes = find(folder.path(), "mobilenet_v2").unwrap().read().unwrap();
    assert_eq!(bytes.len(), 13_992_275);
    assert!(matches!(
        find(folder.path(), "vgg16_mri").unwrap().read(),
        Err(CatalogueError::NotFetched { .. })
    ));
}

#[test]
fn every_wrong_line_is_named() {
    let wrong = |from: &str, to: &str| words(parse(&TOML.replace(from, to)).unwrap_err());
    assert!(parse(TOML).is_ok());
    assert!(wrong("width = 32", "width = 32\nwitdh = 32").contains("witdh"));
    assert!(wrong("licence", "license").contains("license"));
    assert!(wrong("width = 32", "width = 0").contains("width: is 0"));
    assert!(wrong("mean = [0.5, 0.5, 0.5]", "mean = [0.5]").contains("mean: has 1 values"));
    assert!(wrong("ba7816bf", "xyz").contains("64 hex digits"));
    assert!(wrong("file = \"net.onnx\"", "file = \"../net.onnx\"").contains("plain file name"));
    assert!(wrong("name = \"net\"", "name = \"../net\"").contains("name"));
    assert!(wrong("colour = \"rgb\"", "colour = \"cmyk\"").contains("cmyk"));
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
