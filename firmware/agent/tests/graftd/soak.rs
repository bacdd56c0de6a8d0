//! A long run: memory must not grow. `GRAFT_SOAK_FRAMES` makes it longer.

use crate::*;

fn resident_kibibytes(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[test]
fn memory_stays_flat() {
    let frames: u64 = match std::env::var("GRAFT_SOAK_FRAMES") {
        Ok(text) => text.parse().expect("GRAFT_SOAK_FRAMES is a number of frames"),
        Err(_) => 5_000,
    };
    let folder = tempfile::tempdir().unwrap();
    // Of another size than the network's, so that everything is used.
    let pictures: Vec<Picture> = (0..10).map(|seed| synthetic(seed, 48, 40)).collect();
    let file = write_file(folder.path(), "frames", &raw(&pictures));
    let source = format!("replay:{file}");
    let repeat = frames.div_ceil(10).to_string();
    let settings = "[smooth]\nmethod = \"majority\"\nhold = 2\n\
                    [keep]\nmargin = 1.0\nat_most_every = 0.5\nmax_bytes = 200000\n";
    let config = write_file(folder.path(), "g.toml", settings.as_bytes());
    let ring = text(folder.path().join("ring"));
    let mut graftd = Graftd::start(&[
        "--source",
        &source,
        "--repeat",
        &repeat,
        "--format",
        "rgb",
        "--size",
        "48x40",
        "--config",
        &config,
        "--keep",
        &ring,
        "--metrics",
        "0",
    ]);

    let warm = (frames / 5).clamp(500, 10_000);
    let (mut first, mut most, mut last) = (None, 0, 0);
    let answered = frames.div_ceil(10) * 10;
    for sequence in 0..answered {
        let answer = graftd.answer();
        assert_eq!(answer["sequence"], sequence);
        if sequence >= warm
            && sequence % 100 == 0
            && let Some(now) = resident_kibibytes(graftd.child.id())
        {
            first.get_or_insert(now);
            most = most.max(now);
            last = now;
        }
    }
    graftd.ends_well();
    let first = first.expect("there are frames after the warm ones");
    println!(
        "{answered} frames: {first} kB resident after {warm}, at most {most}, {last} at the end"
    );
    // What an allocator keeps for itself moves by some pages; a leak of a
    // kilobyte a frame would be five megabytes.
    assert!(most <= first + 2048, "{first} kB grew to {most} kB");
}

#[test]
fn many_reloads_leave_nothing_behind() {
    let mut graftd = Graftd::start(&["--source", "stdin"]);
    graftd.says("references hold");
    let mut reload = |count: u32| {
        for _ in 0..count {
            graftd.signal(Signal::HUP);
            graftd.says("takes over");
        }
        resident_kibibytes(graftd.child.id()).unwrap()
    };
    let first = reload(10);
    let last = reload(30);
    println!("{first} kB resident after 10 reloads, {last} kB after 40");
    // One copy of the tiny model and its plan is some hundreds of kilobytes.
    assert!(last <= first + 3072, "{first} kB grew to {last} kB");
}
