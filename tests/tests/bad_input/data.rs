//! Data sets that are none: each message names the file, and of a table the line.

use std::fs;

use crate::{refuses, sandbox, train};

#[test]
fn a_broken_table_is_refused_with_its_line() {
    let sandbox = sandbox();
    let check = |table: &[u8], words: &[&str]| {
        sandbox.write("data.csv", table);
        refuses(&sandbox, &mut train(&sandbox, "data.csv"), &[&["data.csv"], words].concat());
    };
    check(
        b"path,label\nphotos/berry/0000.png,berry\nphotos/leaf/0000.png\n",
        &["data.csv, line 3: has 1 field, the header has 2"],
    );
    check(
        b"path,label\nphotos/berry/0000.png,berry,red,round\n",
        &["data.csv, line 2: has 4 fields, the header has 2"],
    );
    check(
        b"path,label,split\nphotos/berry/0000.png,berry,train\nphotos/leaf/0000.png,leaf,tset\n",
        &["data.csv, line 3: split is \"tset\", must be train, test or empty"],
    );
    check(b"path,label\nphotos/berry/0000.png,\n", &["data.csv, line 2: label is empty"]);
    check(b"path,label\n,berry\n", &["data.csv, line 2: path is empty"]);
    check(b"path,label\nphotos/berry/0000.png,b\xe9rry\n", &["data.csv, line 2: is not UTF-8"]);
    // A quoted field may span lines; the lines after it are counted right.
    check(
        b"path,label\n\"photos/berry/0000.png\",\"berry\n\"\nphotos/leaf/0000.png\n",
        &["data.csv, line 4: has 1 field"],
    );
    check(
        b"path,label\nphotos/berry/0000.png,berry\nphotos/leaf/0000.png,leaf\nphotos/berry/0000.png,leaf\n",
        &["data.csv, line 4:", "photos/berry/0000.png", "\"leaf\" here and \"berry\" on line 2"],
    );
    check(
        b"path,label\nphotos/berry/0000.png,berry\nphotos/leaf/no.png,leaf\nphotos/leaf/none.png,leaf\n",
        &["2 of 3 photos are not there", "photos/leaf/no.png (line 3)", "relative to the table"],
    );
    check(
        b"file,label\nphotos/berry/0000.png,berry\n",
        &["no column \"path\"", "found: file, label"],
    );
    check(b"path;label\nphotos/berry/0000.png;berry\n", &["no column \"path\""]);
    check(b"path,label\n", &["has a header but no rows"]);
    check(b"", &["no column \"path\""]);
    check(
        b"path,label\nphotos/berry/0000.png,berry\nphotos/berry/0001.png,berry\n",
        &["one class only, \"berry\"", "at least two"],
    );
}

#[test]
fn a_split_that_cannot_be_used_is_refused() {
    let sandbox = sandbox();
    let check = |sides: [&str; 4], words: &[&str]| {
        let [a, b, c, d] = sides;
        let table = format!(
            "path,label,split\nphotos/berry/0000.png,berry,{a}\nphotos/berry/0001.png,berry,{b}\n\
             photos/leaf/0000.png,leaf,{c}\nphotos/leaf/0001.png,leaf,{d}\n"
        );
        sandbox.write("data.csv", table);
        refuses(&sandbox, &mut train(&sandbox, "data.csv"), words);
    };
    check(
        ["train", "test", "train", ""],
        &["1 of 4 examples have no split", "for all, or for none"],
    );
    check(["train"; 4], &["no usable example is on the test side"]);
    check(["test"; 4], &["no usable example is on the train side"]);
    check(
        ["train", "train", "test", "test"],
        &["class \"leaf\" has no usable example to learn from"],
    );
}

#[test]
fn a_folder_that_is_no_data_set_is_refused() {
    let sandbox = sandbox();
    let check = |data: &str, words: &[&str]| {
        refuses(&sandbox, &mut train(&sandbox, data), words);
    };
    check("nowhere", &["cannot read nowhere", "No such file"]);
    check("kept.file", &["kept.file is neither a folder", ".csv or .tsv"]);
    check("photos/leaf", &["photos/leaf has no sub-folders"]);

    fs::create_dir_all(sandbox.path("photos/nut")).unwrap();
    check(
        "photos",
        &["class folder photos/nut is empty", "put photos of the class there or remove it"],
    );
    // Desktop systems leave hidden files about: they are no photos.
    sandbox.write("photos/nut/.DS_Store", "");
    check("photos", &["class folder photos/nut is empty"]);

    fs::create_dir_all(sandbox.path("alone/berry")).unwrap();
    fs::copy(sandbox.path("photos/berry/0000.png"), sandbox.path("alone/berry/0.png")).unwrap();
    check("alone", &["alone has one class only, \"berry\"", "at least two"]);
}

#[test]
fn a_data_set_too_small_for_its_folds_is_refused() {
    let sandbox = sandbox();
    sandbox
        .write("few.csv", "path,label\nphotos/berry/0000.png,berry\nphotos/leaf/0000.png,leaf\n");
    refuses(&sandbox, &mut train(&sandbox, "few.csv"), &["the examples cannot be split"]);
}

#[test]
fn a_label_that_the_bundle_does_not_know_is_named() {
    let sandbox = sandbox();
    sandbox.bundle();
    sandbox
        .write("data.csv", "path,label\nphotos/berry/0000.png,berry\nphotos/leaf/0000.png,moss\n");
    let mut evaluate = sandbox.graft(["evaluate", "task.graft", "data.csv"]);
    refuses(&sandbox, &mut evaluate, &["data.csv", "\"moss\"", "it knows berry, leaf"]);
    let mut evaluate = sandbox.graft(["evaluate", "task.graft", "photos", "--split", "test"]);
    refuses(&sandbox, &mut evaluate, &["photos has no example on that side", "no split column"]);
}
