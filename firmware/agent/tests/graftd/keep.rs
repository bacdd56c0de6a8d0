//! Frames that are kept, and what a kill leaves of them.

use graft_input::decode;

use crate::*;

const RAW: [&str; 4] = ["--format", "rgb", "--size", "32x32"];

/// Every frame is hard to tell.
fn settings(folder: &Path, max_bytes: u64) -> String {
    let text = format!("[keep]\nmargin = 1.0\nat_most_every = 0.0\nmax_bytes = {max_bytes}\n");
    write_file(folder, "g.toml", text.as_bytes())
}

fn kept(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn bytes(paths: &[PathBuf]) -> u64 {
    paths.iter().map(|path| path.metadata().unwrap().len()).sum()
}

#[test]
fn what_is_kept_is_the_frame_itself() {
    let folder = tempfile::tempdir().unwrap();
    let config = settings(folder.path(), 1 << 20);
    let ring = text(folder.path().join("ring"));
    let pictures = pictures(3);
    let frames = write_file(folder.path(), "frames", &raw(&pictures));
    let source = format!("replay:{frames}");
    let start = ["--source", &source, "--config", &config, "--keep", &ring];
    let answers = Graftd::start(&[&start[..], &RAW].concat()).ends_well();

    // How many depends on how fast the disk is; the first is always kept.
    let kept = kept(Path::new(&ring));
    assert!(!kept.is_empty());
    let first = decode(&std::fs::read(&kept[0]).unwrap(), [0; 3]).unwrap();
    assert_eq!(first, pictures[0]);
    let guess = answers[0]["label"].as_str().unwrap_or("unknown");
    assert_eq!(
        kept[0].file_name().unwrap().to_str().unwrap(),
        format!("kept-0000000000-{guess}.png")
    );
}

#[test]
fn answers_that_are_sure_are_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let config = write_file(
        folder.path(),
        "g.toml",
        b"[keep]\nmargin = 0.0\nunknown = false\nat_most_every = 0.0\n",
    );
    let ring = text(folder.path().join("ring"));
    let frames = write_file(folder.path(), "frames", &raw(&pictures(5)));
    let source = format!("replay:{frames}");
    let start = ["--source", &source, "--config", &config, "--keep", &ring];
    assert_eq!(Graftd::start(&[&start[..], &RAW].concat()).ends_well().len(), 5);
    assert_eq!(kept(Path::new(&ring)), [] as [PathBuf; 0]);
}

/// A kill at any moment leaves whole pictures under their names, and the next
/// start takes away what is none.
#[test]
fn a_kill_leaves_nothing_broken() {
    let folder = tempfile::tempdir().unwrap();
    // Room for a few: while one is written, older ones are there.
    let limit = 150_000;
    let config = settings(folder.path(), limit);
    let ring = text(folder.path().join("ring"));
    // Some tens of kilobytes each, so that writing takes a while.
    let picture = synthetic(1, 100, 80);
    let frames = write_file(folder.path(), "frames", picture.rgb());
    let source = format!("replay:{frames}");
    let start = ["--source", &source, "--repeat", "0", "--format", "rgb", "--size", "100x80"];
    let rest = ["--config", &config, "--keep", &ring, "--sink", "socket:", "--log", "warn"];
    let socket = format!("socket:{}", folder.path().join("s").display());
    let mut arguments = [&start[..], &rest].concat();
    let place = arguments.iter().position(|a| *a == "socket:").unwrap();
    arguments[place] = &socket;

    let mut leftovers = 0;
    for round in 0..25 {
        let mut graftd = Graftd::start(&arguments);
        let whole = || -> Vec<PathBuf> {
            let all = kept(Path::new(&ring)).into_iter();
            all.filter(|path| path.extension().unwrap() == "png").collect()
        };
        let before = whole();
        until("something is kept", || whole() != before);
        std::thread::sleep(Duration::from_micros(311 * round));
        graftd.signal(Signal::KILL);
        graftd.end();
        let all = kept(Path::new(&ring));
        let (pictures, partial): (Vec<PathBuf>, Vec<PathBuf>) =
            all.into_iter().partition(|path| path.extension().unwrap() == "png");
        for path in &pictures {
            let found = decode(&std::fs::read(path).unwrap(), [0; 3]);
            assert_eq!(found.as_ref(), Ok(&picture), "{}", path.display());
        }
        assert!(partial.len() <= 1, "{partial:?}");
        leftovers += partial.len();
        assert!(bytes(&pictures) + bytes(&partial) <= limit, "round {round}");
    }
    println!("{leftovers} of 25 kills met a file that was half written");

    let mut graftd = Graftd::start(&["--source", "stdin", "--config", &config, "--keep", &ring]);
    drop(graftd.child.stdin.take());
    graftd.ends_well();
    let left = kept(Path::new(&ring));
    assert!(!left.is_empty());
    assert!(left.iter().all(|path| path.extension().unwrap() == "png"), "{left:?}");
}
