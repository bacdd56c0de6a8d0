//! Files that are no photos: skipped, counted and listed; `--strict` refuses.

use std::fs;

use graft_tests::sandbox::{Said, Sandbox, run};
use serde_json::Value;

use crate::{refuses, sandbox, train};

/// A text file, half a PNG, and nothing at all, each with a photo's name.
fn break_three(sandbox: &Sandbox) {
    sandbox.write("photos/berry/text.jpg", "this is a letter, not a picture\n");
    let whole = fs::read(sandbox.path("photos/leaf/0003.png")).unwrap();
    sandbox.write("photos/leaf/half.png", &whole[..whole.len() / 2]);
    sandbox.write("photos/leaf/nothing.png", "");
}

#[track_caller]
fn assert_lists_three(said: &Said) {
    let json = said.json();
    assert_eq!(json["skipped"], 3, "{said}");
    let listed: Vec<_> = json["skipped_files"].as_array().unwrap().iter().map(name).collect();
    assert_eq!(listed, ["text.jpg", "half.png", "nothing.png"], "{said}");
    for file in json["skipped_files"].as_array().unwrap() {
        assert!(file["reason"].as_str().is_some_and(|r| !r.is_empty()), "{file}");
        // A person who does not read JSON sees them too.
        assert!(said.stderr.contains(&format!("skipped {}", file["path"].as_str().unwrap())));
    }
}

fn name(file: &Value) -> &str {
    file["path"].as_str().unwrap().rsplit('/').next().unwrap()
}

#[test]
fn broken_photos_are_skipped_counted_and_listed() {
    let sandbox = sandbox();
    break_three(&sandbox);
    let said = sandbox.train("photos", "--output new.graft --json").done();
    assert_lists_three(&said);
    assert_eq!(said.json()["examples"], 24, "{said}");

    for verb in ["evaluate", "compare"] {
        assert_lists_three(&sandbox.run(&format!("{verb} new.graft photos --json")).done());
    }
    let said = sandbox.run(
        "predict new.graft photos/berry/text.jpg photos/leaf/0001.png photos/leaf/half.png \
         photos/leaf/nothing.png --json",
    );
    assert_lists_three(&said.done());
}

#[test]
fn strict_refuses_the_first() {
    let sandbox = sandbox();
    break_three(&sandbox);
    let words = ["3 of 27 examples cannot be used", "photos/berry/text.jpg", "without --strict"];
    refuses(&sandbox, train(&sandbox, "photos").arg("--strict"), &words);

    sandbox.bundle();
    let evaluate = sandbox.run("evaluate task.graft photos --strict");
    evaluate.refuses(&words);
    let predict =
        sandbox.run("predict task.graft photos/leaf/0000.png photos/leaf/half.png --strict");
    predict.refuses(&["1 of 2 examples", "photos/leaf/half.png", "without --strict"]);
}

#[test]
fn a_class_or_a_data_set_of_broken_photos_is_refused() {
    let sandbox = sandbox();
    for class in ["berry", "leaf"] {
        for number in 0..12 {
            sandbox.write(format!("photos/{class}/{number:04}.png"), "no picture");
        }
        match class {
            "berry" => refuses(
                &sandbox,
                &mut train(&sandbox, "photos"),
                &["class \"berry\" has no usable example", "12 files could not be used"],
            ),
            _ => refuses(
                &sandbox,
                &mut train(&sandbox, "photos"),
                &["none of 24 examples can be used", "photos/berry/0000.png"],
            ),
        };
    }
}

#[test]
fn photos_that_are_not_there_or_are_folders_are_named() {
    let sandbox = sandbox();
    sandbox.bundle();
    for (photo, reason) in [("nobody.png", "No such file"), ("photos", "is a folder")] {
        let mut predict = sandbox.graft(["predict", "task.graft", photo]);
        refuses(&sandbox, &mut predict, &["1 of 1 examples", photo, reason]);
    }
}

#[test]
fn a_picture_of_too_many_pixels_is_refused_by_its_header_alone() {
    let sandbox = sandbox();
    // A PNG's first chunk says 60,000 × 60,000; the rest of it is not there, and
    // a decoder that believed it would ask for 10 GB.
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\xea\x60\0\0\xea\x60\x08\x02\0\0\0".to_vec();
    png.extend(crc32(&png[12..]).to_be_bytes());
    png.extend(b"\0\0\0\0IDAT\x35\xaf\x06\x1e");
    sandbox.write("photos/leaf/huge.png", &png);
    let said = run(train(&sandbox, "photos").arg("--json")).done();
    let reason = said.json()["skipped_files"][0]["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("60000x60000"), "{reason}");
    assert!(reason.contains("at most 100000000"), "{reason}");
}

/// PNG's checksum, bit by bit (ISO 3309).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 }
        })
    })
}
