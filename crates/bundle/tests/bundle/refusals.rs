//! Every *must* of docs/format.md, broken one at a time in a bundle whose
//! digests are right.

use crate::file::from_file;
use crate::raw::{Raw, assemble, digest_table, raw};
use graft_bundle::Bundle;

const MANIFEST: &str = r#"{"name":"small","input":{"image":{"width":3,"height":2,"fit":"crop",
"layout":"nchw","colour":"grey","scale":255,"mean":[0.5],"std":[0.5],"background":[0,0,0]}},
"answer":{"class":{"temperature":1.0,"unknown_below":null}},"forms":[{"format":"onnx",
"precision":"f32","input":"i","features":"f","logits":"l","feature_length":5,
"tolerance":{"absolute":0.0,"relative":0.0}}]}"#;

fn references(head: [u32; 4], references: &[(u64, [u32; 2], [f32; 2])]) -> Vec<u8> {
    let mut bytes: Vec<u8> = head.iter().flat_map(|v| v.to_le_bytes()).collect();
    for (seed, size, logits) in references {
        bytes.extend(seed.to_le_bytes());
        bytes.extend(size.iter().flat_map(|v| v.to_le_bytes()));
        bytes.extend([0; 32]);
        bytes.extend(logits.iter().flat_map(|v| v.to_le_bytes()));
    }
    bytes
}

fn right() -> Vec<Raw> {
    vec![
        raw(b"MANI", 0, MANIFEST),
        raw(b"LABL", 0, "a\nb\n"),
        raw(b"MODL", 0, "model"),
        raw(b"REFS", 0, references([1, 1, 2, 0], &[(7, [3, 2], [0.5, -0.5])])),
    ]
}

fn refused(bytes: &[u8], expected: &str) {
    let error = match Bundle::parse(bytes) {
        Ok(_) => panic!("accepted, expected: {expected}"),
        Err(error) => error.to_string(),
    };
    let of_file = from_file(bytes, None).unwrap_err().to_string();
    assert_eq!(of_file, error);
    assert!(error.contains(expected), "{error:?} does not say {expected:?}");
}

fn refused_with(change: impl FnOnce(&mut Vec<Raw>), expected: &str) {
    let mut sections = right();
    change(&mut sections);
    refused(&assemble(0, &sections), expected);
}

#[test]
fn the_unbroken_one_is_read() {
    Bundle::parse(&assemble(0, &right())).unwrap();
}

#[test]
fn headers() {
    let with = |at: usize, value: &[u8]| {
        let mut bytes = assemble(0, &right());
        bytes[at..at + value.len()].copy_from_slice(value);
        digest_table(&mut bytes);
        bytes
    };
    refused(&with(0, b"\x89GRFT\n"), "no graft bundle");
    refused(&with(8, &[2]), "has version 2.0 and needs a reader of version 2");
    refused(&with(8, &[0]), "has version 0.0");
    refused(&with(12, &[0]), "sections is 0, must be 1 to 64");
    refused(&with(12, &[65]), "sections is 65, must be 1 to 64");
    refused(&with(12, &[64]), "body_length is");
    refused(&with(16, &[0, 0]), "body_length is 0");
    refused(&with(20, &[1]), "must be 320 to 4294967295");
    refused(&with(24, &[1]), "bytes 24 to 31 of the header must be zero");
    let mut bytes = with(0, &[]);
    bytes[16] += 1;
    refused(&bytes, "cut short");
    bytes[16] -= 2;
    refused(&bytes, "1 bytes follow");
    refused(&bytes[..40], "40 bytes are there, 64 are needed");
}

#[test]
fn tables() {
    refused_with(|s| s[1].reserved = 1, "reserved field of section LABL must be zero");
    refused_with(|s| s[1].reserved_end = 1 << 63, "reserved field of section LABL must be zero");
    refused_with(|s| s[2].shift = 64, "section MODL of form 0 starts at byte");
    refused_with(|s| s[2].shift = 1, "section MODL of form 0 starts at byte");
    refused_with(|s| s[2].padding = 1, "padding before section MODL of form 0 must be zero");
    refused_with(|s| s[2].bytes.clear(), "length is 0");
    refused_with(|s| s[1].bytes = vec![b'a'; (1 << 20) + 1], "length is 1048577");
    refused_with(|s| s.swap(0, 1), "first section is LABL, must be MANI");
    refused_with(|s| s.push(s[1].clone()), "section LABL occurs twice");
    refused_with(|s| s.push(raw(b"LABL", 1, "a\nb\n")), "LABL of form 1 belongs to no form");
    refused_with(|s| s.push(raw(b"prov", 1, "{}")), "prov of form 1 belongs to no form");
    refused_with(|s| s.push(raw(b"MODL", 1, "m")), "MODL of form 1 belongs to no form");
    refused_with(|s| s.push(raw(b"MODL", u16::MAX, "m")), "belongs to no form");
    refused_with(|s| s.push(raw(b"a.bc", 0, "m")), "must be four ASCII letters");
    refused_with(|s| drop(s.remove(3)), "section REFS of form 0 is missing");
    refused_with(|s| drop(s.remove(2)), "section MODL of form 0 is missing");
    refused_with(|s| drop(s.remove(1)), "section LABL is missing");

    // Two sections that share their bytes.
    let mut bytes = assemble(0, &right());
    let labels = bytes[64 + 64 + 8..][..8].to_owned();
    bytes[64 + 128 + 8..][..8].copy_from_slice(&labels);
    digest_table(&mut bytes);
    refused(&bytes, "section MODL of form 0 starts at byte");
    // A table that ends in the middle of the body.
    let mut bytes = assemble(0, &right());
    bytes[12] = 3;
    digest_table(&mut bytes);
    refused(&bytes, "starts at byte");
}

#[test]
fn kinds_of_later_versions() {
    let with = |minor, kind| {
        let mut sections = right();
        sections.push(raw(kind, 3, "new"));
        assemble(minor, &sections)
    };
    Bundle::parse(&with(0, b"newS")).unwrap();
    Bundle::parse(&with(7, b"newS")).unwrap();
    refused(&with(0, b"News"), "News of form 3 may not be ignored");
    refused(&with(7, b"News"), "needs a reader of version 1.7, this one reads 1.3: section News");
    let mut sections = right();
    sections[0].bytes = MANIFEST.replace(r#""onnx""#, r#""nnef""#).into();
    refused(&assemble(1, &sections), "none is onnx");
    sections[0].bytes = MANIFEST.replace(r#""onnx""#, r#""caffe""#).into();
    refused(&assemble(0, &sections), "unknown variant `caffe`");
    refused(&assemble(7, &sections), "needs a reader of version 1.7");
}

#[test]
fn words() {
    let (from, to) =
        (MANIFEST.find("{\"image\"").unwrap(), MANIFEST.find("},\n\"answer\"").unwrap());
    let spec = r#"{"words":{"tokens":{"words":{"lowercase":true}},"pooling":"max_mean",
        "dimensions":3,"max_bytes":1000}"#;
    let manifest = [&MANIFEST[..from], spec, &MANIFEST[to..]].concat();
    let mut texts = right();
    texts[0].bytes = manifest.clone().into();
    texts[3].bytes = references([1, 1, 2, 0], &[(7, [30, 1], [0.5, -0.5])]);
    texts.push(raw(b"WORD", 0, "any table"));
    let bytes = assemble(2, &texts);
    assert_eq!(Bundle::parse(&bytes).unwrap().words(), Some(b"any table".as_slice()));
    from_file(&bytes, None).unwrap();

    let check = |change: &dyn Fn(&mut Vec<Raw>), expected: &str| {
        let mut sections = texts.clone();
        change(&mut sections);
        refused(&assemble(2, &sections), expected);
    };
    let replaced = |from: &str, to: &str| {
        assert!(manifest.contains(from), "{from}");
        manifest.replacen(from, to, 1)
    };
    check(&|s| drop(s.pop()), "the manifest's input is words, and there is no word table");
    check(&|s| s[0].bytes = MANIFEST.into(), "the manifest's input is not words");
    check(&|s| s.push(raw(b"WORD", 1, "t")), "WORD of form 1 belongs to no form");
    check(&|s| s.push(raw(b"WORD", 0, "t")), "section WORD occurs twice");
    check(
        &|s| s[3].bytes = references([1, 1, 2, 0], &[(7, [30, 2], [0.5, -0.5])]),
        "reference 0 has height 2, of a text it must be 1",
    );
    let spec = |from: &str, to: &str, expected: &str| {
        let text = replaced(from, to);
        check(&|s| s[0].bytes = text.clone().into(), &format!("section MANI: {expected}"));
    };
    spec("\"dimensions\":3", "\"dimensions\":4097", "dimensions: is 4097, must be 1 to 4096");
    spec("\"max_bytes\":1000", "\"max_bytes\":0", "max_bytes: is 0, must be 1 to 1048576");
    spec("max_mean", "min_mean", "unknown variant `min_mean`");
    spec("{\"lowercase\":true}", "[true]", "input.words.tokens.words must be an object");
    spec("\"lowercase\":true", "\"lowercase\":true,\"new\":1", "unknown field `new`");

    // Damage is found when the file is opened, like all but a model's.
    let mut damaged = bytes.clone();
    *damaged.last_mut().unwrap() ^= 1;
    refused(&damaged, "section WORD does not match its digest");
}

#[test]
fn manifests() {
    let manifest = |from: &str, to: &str, expected: &str| {
        assert!(MANIFEST.contains(from), "{from}");
        let text = MANIFEST.replacen(from, to, 1);
        refused_with(|s| s[0].bytes = text.into(), &format!("section MANI: {expected}"));
    };
    manifest("\"name\":\"small\",", "", "missing field `name`");
    manifest("small", "", "name: ");
    manifest("small", "../small", "name: ");
    manifest("{\"name\"", "{\"new\":1,\"name\"", "unknown field `new`");
    manifest("{\"name\"", "{\"name\":\"twice\",\"name\"", "duplicate field `name`");
    manifest("\"width\":3", "\"width\":3.0", "invalid type: floating point");
    manifest("\"width\":3", "\"width\":4097", "width: is 4097");
    for (size, expected) in [
        ("[2,2]", "resize: is 2x2, must be 3x2, the input's size, to 4096x4096"),
        ("[3,4097]", "resize: is 3x4097"),
        ("[3]", "invalid length 1"),
        ("null", "invalid type: null"),
    ] {
        manifest("\"width\":3", &format!("\"resize\":{size},\"width\":3"), expected);
    }
    manifest("\"scale\":255", "\"scale\":1e39", "number out of range");
    manifest("\"std\":[0.5]", "\"std\":[0]", "std: ");
    manifest("\"mean\":[0.5]", "\"mean\":[0.5,0.5]", "mean: ");
    manifest(",\"background\":[0,0,0]", "", "input.image.background is missing");
    manifest(",\"unknown_below\":null", "", "answer.class.unknown_below is missing");
    manifest("null", "1.5", "unknown_below: is 1.5");
    manifest(
        "{\"absolute\":0.0,\"relative\":0.0}",
        "[0.0,0.0]",
        "forms.0.tolerance must be an object",
    );
    manifest("\"absolute\":0.0", "\"absolute\":-1", "tolerance: ");
    manifest("{\"name\"", "\u{feff}{\"name\"", "expected value");
    manifest("}}]}", "}}]} {}", "trailing characters");
    let deep = "[".repeat(100_000);
    refused_with(|s| s[0].bytes = deep.into(), "section MANI: ");
    refused_with(|s| s[0].bytes = vec![0xFF], "section MANI is not UTF-8");
}

#[test]
fn labels() {
    let labels = |text: &str, expected: &str| {
        refused_with(|s| s[1].bytes = text.into(), &format!("section LABL: labels: {expected}"));
    };
    labels("a\nb", "the last line has no line end");
    labels("a\n", "there are 1, at least 2");
    labels("a\n\nb\n", "label 1 has 0 bytes");
    labels("a\r\nb\r\n", "label 0, \"a\\r\", has a control character");
    labels("a\na\n", "\"a\" occurs twice");
    labels("a\n b\n", "label 1, \" b\", begins or ends with white space");
    labels(&"x\n".repeat(70_000), "there are 70000");
    refused_with(|s| s[1].bytes = vec![b'a', b'\n', 0xFF, b'\n'], "LABL is not UTF-8");
}

#[test]
fn replayable_references() {
    let one = (7, [3, 2], [0.5, -0.5]);
    let check = |bytes: Vec<u8>, expected: &str| {
        refused_with(|s| s[3].bytes = bytes, &format!("section REFS of form 0: {expected}"));
    };
    check(references([2, 1, 2, 0], &[one]), "its version is 2");
    check(references([1, 0, 2, 0], &[]), "there are 0 references");
    check(references([1, 65, 2, 0], &[one; 65]), "there are 65 references");
    check(references([1, 1, 3, 0], &[one]), "it has 3 classes, there are 2 labels");
    check(references([1, 1, 2, 9], &[one]), "its reserved bytes are not zero");
    check(references([1, 2, 2, 0], &[one]), "it has 72 bytes, its references need 128");
    check(references([1, 1, 2, 0], &[one, one]), "it has 128 bytes, its references need 72");
    check(vec![1, 0, 0], "it has 3 bytes, its references need 16");
    check(references([1, 1, 2, 0], &[(7, [0, 2], [0.0; 2])]), "reference 0 has a picture of 0 × 2");
    check(
        references([1, 1, 2, 0], &[(7, [2, 4097], [0.0; 2])]),
        "reference 0 has a picture of 2 × 4097",
    );
    check(references([1, 1, 2, 0], &[(7, [2, 2], [0.0, f32::NAN])]), "logit 1 of reference 0");
    check(references([1, 1, 2, 0], &[(7, [2, 2], [f32::INFINITY, 0.0])]), "logit 0 of");
}

#[test]
fn provenance() {
    let check = |bytes: &[u8], expected: &str| {
        refused_with(|s| s.push(raw(b"prov", 0, bytes)), &format!("section prov{expected}"));
    };
    check(b"[]", ": it must be an object");
    check(b"{", ": EOF");
    check(b"{} {}", ": trailing characters");
    check(b"{\"a\":\"\xFF\"}", " is not UTF-8");
    for text in ["{}", " {\"graft\": 1}\n"] {
        let mut sections = right();
        sections.push(raw(b"prov", 0, text));
        let bytes = assemble(0, &sections);
        assert_eq!(Bundle::parse(&bytes).unwrap().provenance_json(), Some(text));
    }
}
