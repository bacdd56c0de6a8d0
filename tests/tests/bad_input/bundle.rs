//! Bundles that are damaged or none.

use std::fs;

use crate::{KEPT_FILE, refuses, sandbox};

#[test]
fn one_flipped_bit_is_found_by_every_verb_that_opens_a_bundle() {
    let sandbox = sandbox();
    let bytes = fs::read(sandbox.bundle()).unwrap();
    let sections = graft_bundle::Bundle::parse(&bytes).unwrap().sections().to_vec();
    // In the header, in the table, and in the middle of each section.
    let mut places = vec![17, 64 + 9];
    places.extend(sections.iter().map(|s| (s.offset + s.length / 2) as usize));
    assert_eq!(places.len(), 9, "MANI, LABL, MODL and REFS of two forms, prov");
    let verbs: [&[&str]; 5] = [
        &["inspect", "flipped.graft"],
        &["predict", "flipped.graft", "photos/leaf/0000.png"],
        &["evaluate", "flipped.graft", "photos"],
        &["compare", "flipped.graft", "photos"],
        &["export", "flipped.graft", "--onnx", KEPT_FILE],
    ];
    for (n, &place) in places.iter().enumerate() {
        let mut flipped = bytes.clone();
        flipped[place] ^= 1 << (n % 8);
        sandbox.write("flipped.graft", &flipped);
        for verb in verbs {
            refuses(
                &sandbox,
                &mut sandbox.graft(verb),
                &["flipped.graft is not a usable bundle", "another copy"],
            );
        }
    }
}

#[test]
fn a_bundle_that_is_cut_short_or_none_or_not_there_is_refused() {
    let sandbox = sandbox();
    let bytes = fs::read(sandbox.bundle()).unwrap();
    let check = |name: &str, contents: &[u8], words: &[&str]| {
        sandbox.write(name, contents);
        let mut predict = sandbox.graft(["predict", name, "photos/leaf/0000.png"]);
        refuses(&sandbox, &mut predict, &[&[name], words].concat());
    };
    check("short.graft", &bytes[..bytes.len() - 1], &["cut short", "another copy"]);
    check("long.graft", &[&bytes[..], b"x"].concat(), &["1 bytes follow"]);
    check("empty.graft", b"", &["no graft bundle"]);
    check("text.graft", b"dear reader", &["no graft bundle"]);
    let mut predict = sandbox.graft(["predict", "nowhere.graft", "photos/leaf/0000.png"]);
    refuses(&sandbox, &mut predict, &["cannot read nowhere.graft", "No such file"]);
}

#[test]
fn an_error_is_a_json_document_too() {
    let sandbox = sandbox();
    let mut predict = sandbox.graft(["predict", KEPT_FILE, "photos/leaf/0000.png", "--json"]);
    let said = refuses(&sandbox, &mut predict, &[KEPT_FILE]);
    let json = said.json();
    assert_eq!(json["graft"], env!("CARGO_PKG_VERSION"));
    assert_eq!(json["verb"], "predict");
    assert_eq!(json["error"]["message"], "kept.file is not a usable bundle");
    let causes = json["error"]["causes"].as_array().unwrap();
    assert!(causes[0].as_str().unwrap().contains("no graft bundle"), "{said}");
}
