//! Large weights in a file of their own.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use graft_bundle::BundleFile;
use graft_input::synthetic;
use graft_runtime::{LargeWeights, Model, WeightsError};

use crate::TINY;
use crate::large::{bundle, network};

/// Weights of every kind: of a convolution, above and below a megabyte, in groups, of a
/// dense layer, one that two nodes read, and small ones.
const GRAPH: &str = "version 1.0;

graph network(input) -> (features, logits) {
  input = external(shape = [1, 3, 32, 32]);
  k1 = variable<scalar>(label = \"k1\", shape = [64, 3, 3, 3]);
  c1 = conv(input, k1, 0.1, dilation = [1, 1], stride = [2, 2], border = \"constant\", groups = 1, padding = [(1, 1), (1, 1)]);
  r1 = max(c1, [[[[0.0]]]]);
  k2 = variable<scalar>(label = \"k2\", shape = [70, 64, 3, 3]);
  c2 = conv(r1, k2, 0.0, dilation = [1, 1], stride = [1, 1], border = \"constant\", groups = 1, padding = [(1, 1), (1, 1)]);
  k3 = variable<scalar>(label = \"k3\", shape = [64, 35, 3, 3]);
  c3 = conv(c2, k3, 0.0, dilation = [1, 1], stride = [2, 2], border = \"constant\", groups = 2, padding = [(1, 1), (1, 1)]);
  flat = reshape(c3, shape = [4096], axis_start = 1, axis_count = 3);
  w1 = variable<scalar>(label = \"w1\", shape = [200, 4096]);
  d1 = matmul(flat, w1, transposeA = false, transposeB = true);
  w2 = variable<scalar>(label = \"w2\", shape = [200, 200]);
  d2 = matmul(d1, w2, transposeA = false, transposeB = true);
  features = matmul(d2, w2, transposeA = false, transposeB = false);
  v = variable<scalar>(label = \"v\", shape = [4, 200]);
  logits = matmul(features, v, transposeA = false, transposeB = true);
}
";

const TENSORS: [(&str, &[usize]); 6] = [
    ("k1", &[64, 3, 3, 3]),
    ("k2", &[70, 64, 3, 3]),
    ("k3", &[64, 35, 3, 3]),
    ("w1", &[200, 4096]),
    ("w2", &[200, 200]),
    ("v", &[4, 200]),
];

/// Another network for each seed; values that are never the same in two places.
fn a_bundle(seed: usize) -> BundleFile {
    of_graph(GRAPH, &TENSORS, 200, seed)
}

fn of_graph(
    graph: &str,
    tensors: &[(&'static str, &'static [usize])],
    features: usize,
    seed: usize,
) -> BundleFile {
    let tensors = tensors.iter().enumerate().map(|(index, &(label, shape))| {
        let length: usize = shape.iter().product();
        let fan_in = length / shape[0];
        let value = |i: usize| ((i * 7919 + (index + 7 * seed) * 104_729) % 65_537) as f32;
        let values = (0..length).map(|i| (value(i) / 65_537.0 - 0.5) / (fan_in as f32).sqrt());
        (label, shape, values.collect())
    });
    let tensors: Vec<_> = tensors.collect();
    BundleFile::open(bundle(&network(graph, &tensors), features), None).unwrap()
}

fn answers(model: &mut Model) -> Vec<u32> {
    let mut bits = Vec::new();
    for seed in 0..3 {
        let answer = model.predict(synthetic(seed, 40, 32).frame()).unwrap();
        bits.extend(answer.logits.iter().chain(answer.features).map(|value| value.to_bits()));
    }
    bits
}

fn in_memory(bundle: &BundleFile) -> Vec<u32> {
    let answers = answers(&mut Model::open_file(bundle).unwrap());
    let values: Vec<f32> = answers.iter().map(|&bits| f32::from_bits(bits)).collect();
    assert!(values.iter().all(|value| value.is_finite()) && values.iter().any(|v| v.abs() > 1e-4));
    answers
}

/// Opens with a file, and checks that the answers are those of memory, to the bit.
#[track_caller]
fn open(bundle: &BundleFile, folder: &Path) -> (PathBuf, bool, Option<WeightsError>) {
    let (mut model, weights) = Model::open_file_mapped(bundle, folder).unwrap();
    assert!(answers(&mut model) == in_memory(bundle), "the answers differ");
    match weights {
        LargeWeights::InFile { path, bytes, is_new, replaced } => {
            assert!(bytes >= 4 * (70 * 64 * 9 + 200 * 4096), "{bytes}");
            (path, is_new, replaced)
        }
        LargeWeights::InMemory { because } => panic!("{because}"),
    }
}

#[track_caller]
fn why_not(bundle: &BundleFile, folder: &Path) -> WeightsError {
    let (mut model, weights) = Model::open_file_mapped(bundle, folder).unwrap();
    model.verify().unwrap_or_else(|_| panic!("it does not answer"));
    match weights {
        LargeWeights::InMemory { because } => because,
        LargeWeights::InFile { path, .. } => panic!("they are in {}", path.display()),
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn the_answers_are_those_of_weights_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = a_bundle(0);
    let (path, is_new, replaced) = open(&bundle, folder.path());
    assert!(is_new && replaced.is_none());
    let written = fs::read(&path).unwrap();
    // The others are small, in groups, or read by two nodes.
    let labels = head_of(&written).matches("\"label\"").count();
    assert!(
        labels == 2 && ["k2", "w1"].iter().all(|l| head_of(&written).contains(&format!("\"{l}\"")))
    );
    let (again, is_new, replaced) = open(&bundle, folder.path());
    assert!(!is_new && replaced.is_none() && again == path);
    assert_eq!(fs::read(&path).unwrap(), written);

    // The same weights always give the same bytes.
    fs::remove_file(&path).unwrap();
    open(&bundle, folder.path());
    assert!(fs::read(&path).unwrap() == written);
    assert_eq!(files(folder.path()), [path]);
}

/// A stand-in that is copied, cut, turned or read twice on its way must not be taken for
/// the weights, nor run in their place.
#[test]
fn weights_that_are_not_simply_packed_are_read() {
    let before = "version 1.0;

graph network(input) -> (features, logits) {
  input = external(shape = [1, 3, 32, 32]);
  flat = reshape(input, shape = [3072], axis_start = 1, axis_count = 3);
  w0 = variable<scalar>(label = \"w0\", shape = [160, 3072]);
  x = matmul(flat, w0, transposeA = false, transposeB = true);
";
    let after = "
  v = variable<scalar>(label = \"v\", shape = [4, 160]);
  logits = matmul(features, v, transposeA = false, transposeB = true);
}
";
    let w = "w = variable<scalar>(label = \"w\", shape = [160, 160]);";
    let cases: [(&str, &[usize], String, &[&str]); 8] = [
        ("read once", &[160, 160], format!("{w} features = matmul(x, w, transposeA = false, transposeB = true);"), &["w0", "w"]),
        ("read twice", &[160, 160], format!("{w} a = matmul(x, w, transposeA = false, transposeB = true); features = matmul(a, w, transposeA = false, transposeB = false);"), &["w0"]),
        ("read twice, each through an axis of its own", &[160, 160], format!("{w} y = unsqueeze(x, axes = [0]); a = matmul(y, unsqueeze(w, axes = [0]), transposeA = false, transposeB = true); b = matmul(a, unsqueeze(w, axes = [0]), transposeA = false, transposeB = false); features = squeeze(b, axes = [0]);"), &["w0"]),
        ("two variables of one label", &[160, 160], format!("{w} u = variable<scalar>(label = \"w\", shape = [160, 160]); a = matmul(x, w, transposeA = false, transposeB = true); features = matmul(a, u, transposeA = false, transposeB = false);"), &["w0"]),
        ("turned", &[160, 160], format!("{w} features = matmul(x, transpose(w, axes = [1, 0]), transposeA = false, transposeB = true);"), &["w0"]),
        ("cut", &[320, 160], "w = variable<scalar>(label = \"w\", shape = [320, 160]); part = slice(w, axes = [0], begin = [0], end = [160], stride = [1]); features = matmul(x, part, transposeA = false, transposeB = true);".to_owned(), &["w0"]),
        ("scaled by ones and a two", &[160, 160], format!("{w} features = matmul(x, mul(w, 2.0), transposeA = false, transposeB = true);"), &["w0"]),
        ("added to itself", &[160, 160], format!("{w} features = matmul(x, add(w, transpose(w, axes = [1, 0])), transposeA = false, transposeB = true);"), &["w0"]),
    ];
    for (name, shape, middle, mapped) in cases {
        let folder = tempfile::tempdir().unwrap();
        let shape: &'static [usize] = if shape[0] == 320 { &[320, 160] } else { &[160, 160] };
        let tensors: [(&'static str, &'static [usize]); 3] =
            [("w0", &[160, 3072]), ("w", shape), ("v", &[4, 160])];
        let bundle = of_graph(&format!("{before}  {middle}{after}"), &tensors, 160, 11);
        for is_new in [true, false] {
            let (mut model, weights) = Model::open_file_mapped(&bundle, folder.path()).unwrap();
            assert!(answers(&mut model) == in_memory(&bundle), "{name}: the answers differ");
            match weights {
                LargeWeights::InFile { is_new: found, .. } => assert_eq!(found, is_new, "{name}"),
                LargeWeights::InMemory { because } => panic!("{name}: {because}"),
            }
        }
        let [path] = &files(folder.path())[..] else { panic!("one file") };
        let written = fs::read(path).unwrap();
        let head = head_of(&written);
        // Turned weights may be packed in place too: what matters are the answers.
        let labels = head.matches("\"label\"").count();
        let are_there = mapped.iter().all(|label| head.contains(&format!("\"{label}\"")));
        let at_most = if name == "turned" { 2 } else { mapped.len() };
        assert!(are_there && labels <= at_most, "{name}: {head}");
    }
}

#[test]
fn a_folder_has_the_weights_of_the_last_model() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (a_bundle(1), a_bundle(2));
    let (mut running, _) = Model::open_file_mapped(&one, folder.path()).unwrap();
    // What a killed process left of another model, and what is not of this program.
    fs::write(folder.path().join("0123456789abcdef.new"), b"left").unwrap();
    let others = ["darknet.weights", "0123456789abcdef.txt", "0123456789abcdeg.weights"];
    let mut expected: Vec<_> = others.iter().map(|name| folder.path().join(name)).collect();
    expected.iter().for_each(|path| fs::write(path, b"not ours").unwrap());
    let (path, is_new, _) = open(&two, folder.path());
    assert!(is_new);
    expected.push(path);
    expected.sort();
    let mut found = files(folder.path());
    found.sort();
    assert_eq!(found, expected);
    // What is mapped stays what it was.
    assert!(answers(&mut running) == in_memory(&one));
}

/// Whatever is in the file, the answers are right, and why it was made anew is said.
#[test]
fn a_file_that_does_not_fit_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = a_bundle(3);
    let (path, ..) = open(&bundle, folder.path());
    let good = fs::read(&path).unwrap();
    let check = |bytes: &[u8], words: &str| {
        fs::write(&path, bytes).unwrap();
        let (_, is_new, replaced) = open(&bundle, folder.path());
        let why = replaced.unwrap().to_string();
        assert!(is_new && why.contains(words), "{why:?} lacks {words:?}");
        assert!(fs::read(&path).unwrap() == good);
    };
    let changed = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    check(b"", "cut short");
    check(b"short", "cut short");
    check(&good[..100], "cut short");
    check(&good[..good.len() - 1], "cut short");
    check(&good[..good.len() / 2], "cut short");
    check(&changed(0), "no file of weights");
    check(&changed(11), "cut short");
    check(&changed(100), "head is damaged");
    check(&changed(good.len() - 1), "w1 is damaged");
    check(&changed(good.len() / 2), "is damaged");
    // What was made of another model, by another engine, on another processor.
    let (_, model) = head_of(&good).split_once("\"model\":\"").unwrap();
    let model = &model[..64];
    check(&with_head(&good, model, &"0".repeat(64)), "another model");
    check(&with_head(&good, "tract 0", "tract 9"), "it is from tract 9");
    check(&with_head(&good, "[16]", "[17]"), "packed otherwise here");
    check(&with_head(&good, "\"label\":\"w1\"", "\"label\":\"w9\""), "are not those of the model");
    // w2 is read twice.
    check(&with_head(&good, "\"label\":\"w1\"", "\"label\":\"w2\""), "are not those of the model");
    check(&with_head(&good, "\"shape\":[200,4096]", "\"shape\":[4096,200]"), "are not those");
    check(&with_head(&good, "\"row_axis\"", "\"sow_axis\""), "its head");
}

fn head_of(file: &[u8]) -> &str {
    let length = u32::from_le_bytes(file[8..12].try_into().unwrap()) as usize;
    std::str::from_utf8(&file[16..16 + length]).unwrap()
}

/// The file with words of its head replaced by as many letters, and its check sum right.
fn with_head(file: &[u8], from: &str, to: &str) -> Vec<u8> {
    let head = head_of(file);
    // Processors pack in panels of other widths.
    let from = match from {
        "[16]" => {
            let at = head.find("PackedF32[").unwrap() + 9;
            &head[at..at + head[at..].find(']').unwrap() + 1]
        }
        from => from,
    };
    let to = if to == "[17]" { format!("[{}]", "9".repeat(from.len() - 2)) } else { to.to_owned() };
    let changed = head.replace(from, &to);
    assert!(changed != head && changed.len() == head.len(), "{from} to {to} in {head}");
    let mut bytes = file.to_vec();
    bytes[12..16].copy_from_slice(&crc32fast::hash(changed.as_bytes()).to_le_bytes());
    bytes[16..16 + changed.len()].copy_from_slice(changed.as_bytes());
    bytes
}

/// A process that was killed leaves a file under another name.
#[test]
fn what_a_killed_process_left_is_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = a_bundle(4);
    let (path, ..) = open(&bundle, folder.path());
    let good = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let left = path.with_extension("new");
    fs::write(&left, vec![7; good.len() + 1000]).unwrap();
    let (again, is_new, replaced) = open(&bundle, folder.path());
    assert!(is_new && replaced.is_none());
    assert!(fs::read(&again).unwrap() == good);
    assert_eq!(files(folder.path()), [path]);
}

#[test]
fn a_mapped_file_may_be_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = a_bundle(5);
    let (mut model, _) = Model::open_file_mapped(&bundle, folder.path()).unwrap();
    let expected = in_memory(&bundle);
    for path in files(folder.path()) {
        fs::remove_file(path).unwrap();
    }
    assert!(answers(&mut model) == expected);
}

#[test]
fn what_cannot_be_mapped_is_in_memory_and_why_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let of = |bytes: &[u8], key: Option<&str>| {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(bytes, 0).unwrap();
        BundleFile::open(file, key).unwrap()
    };
    let onnx_alone = of(TINY, None);
    assert!(matches!(why_not(&onnx_alone, folder.path()), WeightsError::OnnxAlone));
    let small = of(&crate::nnef::with_nnef(&crate::nnef::nnef()), None);
    assert!(matches!(why_not(&small, folder.path()), WeightsError::NothingLarge));
    let key = include_str!("../fixtures/words.pub");
    let signed = of(include_bytes!("../fixtures/words_signed.graft"), Some(key));
    assert!(matches!(why_not(&signed, folder.path()), WeightsError::SignatureDemanded));
    assert!(files(folder.path()).is_empty());

    let (missing, file) = (folder.path().join("missing"), folder.path().join("file"));
    File::create(&file).unwrap();
    let bundle = a_bundle(6);
    for nowhere in [missing, file] {
        let (mut model, weights) = Model::open_file_mapped(&bundle, &nowhere).unwrap();
        let LargeWeights::InMemory { because } = weights else { panic!("{weights:?}") };
        assert!(because.to_string().starts_with("cannot write"), "{because}");
        assert!(answers(&mut model) == in_memory(&bundle));
    }
}

#[test]
fn a_full_disk_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = a_bundle(7);
    let (path, ..) = open(&bundle, folder.path());
    fs::remove_file(&path).unwrap();
    // Where the file would be written, a device that is always full.
    std::os::unix::fs::symlink("/dev/full", path.with_extension("new")).unwrap();
    let (_, weights) = Model::open_file_mapped(&bundle, folder.path()).unwrap();
    let LargeWeights::InMemory { because } = weights else { panic!("{weights:?}") };
    assert!(because.to_string().contains("No space left"), "{because}");
    assert!(files(folder.path()).is_empty(), "{:?}", files(folder.path()));
}
