//! What one frame allocates in the whole loop, threads and all: nothing of ours
//! beyond what the engine and the resizer take.
//!
//! A test binary of its own, because it counts for the whole process.

#[path = "../../../tests/counting.rs"]
mod counting;

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use graft_agent::{Command, parse, run};
use graft_bundle::Bundle;
use graft_input::{Frame, Picture, PixelFormat, RawFrame, synthetic};
use graft_runtime::Model;

const TINY: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../crates/runtime/tests/fixtures/tiny.graft");

/// Allocations of one frame in the running agent, by a client that counts while
/// it reads the answers and allocates nothing itself.
fn of_loop(frames: &Path, rounds: u64, rest: &[&str]) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let arguments = [
        "--bundle",
        TINY,
        "--source",
        &format!("replay:{}", frames.display()),
        "--repeat",
        &rounds.to_string(),
        "--sink",
        &format!("socket:{}", socket.display()),
    ]
    .iter()
    .chain(rest)
    .map(|&argument| argument.to_owned().into())
    .collect::<Vec<std::ffi::OsString>>();
    let Ok(Command::Run(config)) = parse(arguments) else { panic!("the flags are right") };
    std::thread::scope(|scope| {
        let client = scope.spawn(move || count(&socket));
        run(*config).unwrap();
        client.join().unwrap()
    })
}

/// Counts from the first answer after the warm ones to the last.
fn count(socket: &Path) -> f64 {
    let mut stream = loop {
        match UnixStream::connect(socket) {
            Ok(stream) => break stream,
            Err(_) => std::thread::sleep(Duration::from_micros(200)),
        }
    };
    let (mut first, mut last) = (None, (0, 0));
    let mut piece = [0; 65_536];
    // What is read at once may end anywhere: the last number in it counts.
    while let Ok(length @ 1..) = stream.read(&mut piece) {
        let now = counting::of_the_process();
        if let Some(sequence) = last_sequence(&piece[..length])
            && sequence >= WARM
        {
            first.get_or_insert((sequence, now));
            last = (sequence, now);
        }
    }
    let first = first.expect("there are answers after the warm ones");
    assert!(last.0 > first.0 + 3 * WARM, "answers {} to {}", first.0, last.0);
    (last.1 - first.1) as f64 / (last.0 - first.0) as f64
}

const WARM: u64 = 500;

fn last_sequence(text: &[u8]) -> Option<u64> {
    const KEY: &[u8] = b"{\"sequence\":";
    let at = text.windows(KEY.len()).rposition(|window| window == KEY)?;
    let digits = &text[at + KEY.len()..];
    let end = digits.iter().position(|byte| *byte == b',')?;
    std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
}

/// Allocations of the engine and the resizer for one frame.
fn of_model(frame: &RawFrame<'_>, width: u32, height: u32) -> u64 {
    let mut model = Model::open(&Bundle::parse(&std::fs::read(TINY).unwrap()).unwrap()).unwrap();
    let mut rgb = Vec::new();
    let mut answer = || {
        frame.to_rgb(&mut rgb);
        model.predict(Frame::new(width, height, &rgb).unwrap()).unwrap();
    };
    (0..3).for_each(|_| answer());
    let before = counting::of_the_process();
    (0..10).for_each(|_| answer());
    let all = counting::of_the_process() - before;
    assert_eq!(all % 10, 0, "some frames allocate more than others");
    all / 10
}

fn check(name: &str, bytes: &[u8], format: PixelFormat, stride: usize, flags: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("frames");
    std::fs::write(&file, bytes).unwrap();
    let [width, height] = [40, 32];
    let frame_bytes = stride * format.rows(height) as usize;
    let frame = RawFrame::new(format, width, height, stride, &bytes[..frame_bytes]).unwrap();
    let model = of_model(&frame, width, height);

    let frames = bytes.len() / frame_bytes;
    let start = ["--size", "40x32", "--smooth", "majority"];
    let each = of_loop(&file, 5000 / frames as u64, &[&start[..], flags].concat());
    println!("{name}: {each:.3} allocations a frame, of which engine and resizer {model}");
    // The client counts in the middle of a frame or the next: one or two frames'
    // allocations in thousands of frames.
    assert!((each - model as f64).abs() < 0.1, "{name}: {each} is not {model}");
}

/// One test: two would count each other's.
#[test]
fn a_frame_allocates_nothing_of_ours() {
    let pictures: Vec<Picture> = (0..5).map(|seed| synthetic(seed, 40, 32)).collect();
    let rgb: Vec<u8> = pictures.iter().flat_map(|p| p.rgb()).copied().collect();
    check("rgb", &rgb, PixelFormat::Rgb, 120, &["--format", "rgb"]);
    let yuyv = &rgb[..5 * 96 * 32];
    check("yuyv", yuyv, PixelFormat::Yuyv, 96, &["--format", "yuyv", "--stride", "96"]);
}
