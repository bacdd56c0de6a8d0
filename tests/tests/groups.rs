//! Photos of one object stay on one side, copies across the split are reported,
//! and rare classes can be made to count.

use std::fs;

use graft_tests::photos::{BERRY, CLEAR, Class, LEAF, MURKY, folder, photo};
use graft_tests::sandbox::Sandbox;
use serde_json::Value;

const OBJECTS: u64 = 16;
const PHOTOS_AN_OBJECT: u64 = 3;

/// Objects of which all photos are the same bytes: wherever one object is on
/// both sides, so is a copy, and copies are reported.
fn objects(sandbox: &Sandbox, header: &str) -> String {
    fs::create_dir(sandbox.path("objects")).unwrap();
    let mut table = format!("path,label,{header}\n");
    for object in 0..OBJECTS {
        let class = if object % 2 == 0 { BERRY } else { LEAF };
        for number in 0..PHOTOS_AN_OBJECT {
            let name = format!("objects/{object}-{number}.png");
            photo(class, object, CLEAR).save(sandbox.path(&name)).unwrap();
            table += &format!("{name},{},object {object}\n", class.label);
        }
    }
    table
}

#[test]
fn a_group_is_never_on_both_sides() {
    let sandbox = Sandbox::new();
    let table = objects(&sandbox, "group");
    sandbox.write("groups.csv", &table);
    // The same table, whose third column says nothing.
    sandbox.write("alone.csv", table.replacen("group", "remark", 1));
    let train = |table: &str, words: &str| {
        sandbox.train(table, &format!("--output task.graft --json {words}")).done()
    };
    for seed in 0..3 {
        let words = format!("--seed {seed}");
        let grouped = train("groups.csv", &words);
        let json = grouped.json();
        assert_eq!(json["duplicates_across_split"], Value::Array(Vec::new()), "{grouped}");
        assert_eq!(json["examples"], OBJECTS * PHOTOS_AN_OBJECT, "{grouped}");
        assert_eq!(json["tested"].as_u64().unwrap() % PHOTOS_AN_OBJECT, 0, "{grouped}");
        assert_eq!(grouped.stderr, "", "{grouped}");

        let alone = train("alone.csv", &words);
        let json = alone.json();
        let copies = json["duplicates_across_split"].as_array().unwrap();
        assert!(!copies.is_empty(), "{alone}");
        for same in copies {
            let object = |path: &Value| {
                let path = path.as_str().unwrap();
                path.rsplit('/').next().unwrap().split_once('-').unwrap().0.to_owned()
            };
            let same = same.as_array().unwrap();
            assert_eq!(same.len() as u64, PHOTOS_AN_OBJECT, "{alone}");
            assert!(same.iter().all(|path| object(path) == object(&same[0])), "{alone}");
        }
        assert!(alone.stderr.contains("on both sides of the split, byte for byte"), "{alone}");
        assert!(alone.stderr.contains("mean nothing to graft: remark"), "{alone}");
    }
}

#[test]
fn a_data_set_that_tears_its_own_groups_is_told_so() {
    let sandbox = Sandbox::new();
    let table = objects(&sandbox, "group,split");
    let rows = table.lines().enumerate().map(|(number, row)| match number {
        0 => format!("{row}\n"),
        // The last photo of each object is held out.
        n if n % 3 == 0 => format!("{row},test\n"),
        _ => format!("{row},train\n"),
    });
    sandbox.write("torn.csv", rows.collect::<String>());
    let said = sandbox.train("torn.csv", "--output task.graft --json").done();
    assert!(said.stderr.contains("16 groups are on both sides"), "{said}");
    assert!(said.stderr.contains("\"object 0\""), "{said}");
    assert_eq!(said.json()["groups_across_split"].as_array().unwrap().len(), 16, "{said}");
    assert_eq!(said.json()["duplicates_across_split"].as_array().unwrap().len(), 16, "{said}");
}

#[test]
fn balanced_weights_find_more_of_a_rare_class() {
    let sandbox = Sandbox::new();
    // Near each other, and one nine times as frequent.
    let rare = Class { label: "rare", colour: [150, 110, 90] };
    let usual = Class { label: "usual", colour: [110, 120, 90] };
    folder(&sandbox.path("photos"), &[(rare, 40), (usual, 360)], MURKY / 3);
    let recall = |weights: &str| {
        let words = format!("--output task.graft --json --class-weights {weights}");
        let json = sandbox.train("photos", &words).done().json();
        let classes = json["evaluation"]["classes"].as_array().unwrap();
        assert_eq!(classes[0]["label"], "rare", "{json}");
        let bundle = sandbox.run("inspect task.graft --json").done().json();
        assert_eq!(bundle["bundle"]["provenance"]["recipe"]["class_weights"], weights);
        classes[0]["recall"].as_f64().unwrap()
    };
    let (uniform, balanced) = (recall("uniform"), recall("balanced"));
    assert!(balanced > uniform, "recall of the rare class: {uniform} and, balanced, {balanced}");
}
