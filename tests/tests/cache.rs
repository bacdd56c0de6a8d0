//! Features that were computed once are found again, by content.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use graft_tests::photos::{CLEAR, LEAF, photo};
use graft_tests::sandbox::{Said, Sandbox, files, tiny_model};

const PHOTOS: usize = 40;

/// How many features were found and how many computed, of all.
#[track_caller]
fn counts(said: &Said) -> (u64, u64) {
    let json = said.json();
    (json["features_cached"].as_u64().unwrap(), json["features_computed"].as_u64().unwrap())
}

fn train(sandbox: &Sandbox) -> Said {
    sandbox.train("photos", "--output task.graft --json").done()
}

fn segments(sandbox: &Sandbox) -> Vec<PathBuf> {
    let is_segment = |p: &PathBuf| p.extension().is_some_and(|e| e == "features");
    files(&sandbox.cache()).into_keys().filter(is_segment).collect()
}

#[test]
fn a_second_run_infers_nothing_and_a_changed_photo_alone_is_computed_again() {
    let sandbox = Sandbox::with_photos(PHOTOS / 2);
    let first = train(&sandbox);
    assert_eq!(counts(&first), (0, 40), "{first}");
    let second = train(&sandbox);
    assert_eq!(counts(&second), (40, 0), "{second}");
    assert_eq!(second.json()["inference_seconds"], 0.0, "{second}");
    assert_eq!(second.json()["bundle"]["sha256"], first.json()["bundle"]["sha256"]);

    photo(LEAF, 1000, CLEAR).save(sandbox.path("photos/leaf/0005.png")).unwrap();
    assert_eq!(counts(&train(&sandbox)), (39, 1));
    // Content counts, not name or time.
    let other = sandbox.path("photos/leaf/another.png");
    fs::rename(sandbox.path("photos/leaf/0006.png"), other).unwrap();
    assert_eq!(counts(&train(&sandbox)), (40, 0));
}

#[test]
fn another_preparation_or_cut_finds_nothing_of_the_first() {
    let sandbox = Sandbox::with_photos(PHOTOS / 2);
    train(&sandbox);
    let cut = sandbox.train("photos", "--output cut.graft --at pointwise --json").done();
    assert_eq!(counts(&cut), (0, 40), "{cut}");
    // The same network whose photos are prepared otherwise.
    let tiny = tiny_model();
    fs::create_dir(sandbox.path("letterbox")).unwrap();
    fs::copy(tiny.join("tiny.onnx"), sandbox.path("letterbox/tiny.onnx")).unwrap();
    let toml = fs::read_to_string(tiny.join("model.toml")).unwrap();
    sandbox.write("letterbox/model.toml", toml.replace("stretch", "letterbox"));
    let train = "train photos --model ./letterbox --output other.graft --json";
    let other = sandbox.run(train).done();
    assert_eq!(counts(&other), (0, 40), "{other}");
    assert_eq!(counts(&sandbox.run(train).done()), (40, 0));
}

#[test]
fn without_the_cache_none_is_made() {
    let sandbox = Sandbox::with_photos(12);
    sandbox.train("photos", "--output task.graft --no-cache --quiet").done();
    assert!(!sandbox.cache().join("features").exists());
}

#[test]
fn two_processes_share_the_cache() {
    let sandbox = Sandbox::with_photos(PHOTOS / 2);
    let start = |output: &str| {
        let mut graft = sandbox.graft(["train", "photos", "--json", "--output", output]);
        let graft = graft.args(["--name", "same", "--model"]).arg(tiny_model());
        let graft = graft.stdout(Stdio::piped()).stderr(Stdio::piped());
        graft.spawn().unwrap()
    };
    let [one, two] = ["one.graft", "two.graft"].map(start);
    for process in [one, two] {
        let said = Said::of(process.wait_with_output().unwrap(), "one of two".to_owned()).done();
        let (cached, computed) = counts(&said);
        assert_eq!(cached + computed, 40, "{said}");
    }
    let read = |name: &str| fs::read(sandbox.path(name)).unwrap();
    assert!(read("one.graft") == read("two.graft"));
    assert_eq!(counts(&train(&sandbox)), (40, 0));
    sandbox.assert_no_remains();
}

#[test]
fn a_torn_file_is_noticed_and_rebuilt() {
    let sandbox = Sandbox::with_photos(PHOTOS / 2);
    let first = train(&sandbox);
    let segment = segments(&sandbox).remove(0);
    let whole = fs::read(&segment).unwrap();

    fs::write(&segment, &whole[..whole.len() - 100]).unwrap();
    let said = train(&sandbox);
    assert_eq!(counts(&said), (0, 40), "{said}");
    assert!(said.stderr.contains(segment.to_str().unwrap()), "{said}");
    assert!(said.stderr.contains("torn"), "{said}");
    assert_eq!(said.json()["bundle"]["sha256"], first.json()["bundle"]["sha256"]);
    assert_eq!(counts(&train(&sandbox)), (40, 0));

    // A value that changed on the disk, in the last row.
    let segment = segments(&sandbox).remove(0);
    let mut flipped = fs::read(&segment).unwrap();
    *flipped.last_mut().unwrap() ^= 1;
    fs::write(&segment, flipped).unwrap();
    let said = train(&sandbox);
    assert!(counts(&said).1 > 0, "{said}");
    assert!(said.stderr.contains(segment.to_str().unwrap()), "{said}");
    assert_eq!(said.json()["bundle"]["sha256"], first.json()["bundle"]["sha256"]);
    // Rows that were whole, and read before the torn one was, went with it.
    let rest = train(&sandbox);
    assert_eq!(counts(&rest).0, counts(&said).1, "{rest}");
    assert_eq!(counts(&train(&sandbox)), (40, 0));
}

#[test]
fn what_is_kept_can_be_seen_and_cleared() {
    let sandbox = Sandbox::with_photos(PHOTOS / 2);
    let show = || sandbox.run("cache show --json").done().json();
    let empty = show();
    assert_eq!((&empty["bytes"], &empty["spaces"]), (&0.into(), &0.into()));
    assert_eq!(empty["path"], sandbox.cache().join("features").to_str().unwrap());

    train(&sandbox);
    let full = show();
    let on_disk: usize =
        files(&sandbox.cache().join("features")).values().map(|bytes| bytes.len()).sum();
    assert_eq!(full["bytes"], on_disk, "{full}");
    assert_eq!((&full["spaces"], &full["segments"]), (&1.into(), &1.into()), "{full}");
    assert!(full["limit_bytes"].as_u64().unwrap() > 1 << 30, "{full}");
    assert_eq!(full["cleared_bytes"], 0, "{full}");

    let cleared = sandbox.run("cache clear --json").done().json();
    assert_eq!(cleared["cleared_bytes"], on_disk, "{cleared}");
    assert_eq!(cleared["bytes"], 0, "{cleared}");
    assert_eq!(show(), empty);
    assert_eq!(counts(&train(&sandbox)), (0, 40));
}
