//! Frames from everywhere they can come from without a camera.

use std::fs;
use std::io::Write;

use graft_input::{PixelFormat, RawFrame, decode};
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};

use crate::*;

const RAW: [&str; 4] = ["--format", "rgb", "--size", "32x32"];

fn start(source: &str, rest: &[&str]) -> Graftd {
    Graftd::start(&[&["--source", source], rest].concat())
}

fn fifo(folder: &Path) -> PathBuf {
    let path = folder.join("fifo");
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    path
}

#[test]
fn every_replayed_frame_is_answered_as_the_host_answers_it() {
    let folder = tempfile::tempdir().unwrap();
    let pictures = pictures(20);
    let mut bytes = raw(&pictures);
    bytes.extend([0; 100]);
    let file = write_file(folder.path(), "frames", &bytes);

    let mut graftd = start(&format!("replay:{file}"), &[&RAW[..], &["--repeat", "3"]].concat());
    let answers = graftd.ends_well();
    assert_eq!(sequences(&answers), (0..60).collect::<Vec<u64>>());
    let mut model = model();
    for (answer, picture) in answers.iter().zip(pictures.iter().cycle()) {
        assert_eq!(found(answer), expect(&mut model, picture.frame()));
        assert_eq!(answer["dropped"], 0);
    }
    // Once, though the file was read three times.
    let said = graftd.all_said();
    assert_eq!(said.matches("in the middle of a frame, after 100 bytes").count(), 1, "{said}");
}

#[test]
fn cameras_formats_with_padded_rows_are_read() {
    let folder = tempfile::tempdir().unwrap();
    // Not of the network's size, so that it is resized too.
    let (width, height, stride) = (50, 36, 112);
    let frames: Vec<Vec<u8>> = (0..3_u32)
        .map(|seed| (0..stride * height).map(|at| ((at * at + 91 * seed) >> 5) as u8).collect())
        .collect();
    let file = write_file(folder.path(), "frames", &frames.concat());
    let arguments = ["--format", "yuyv", "--size", "50x36", "--stride", "112"];
    let answers = start(&format!("replay:{file}"), &arguments).ends_well();
    assert_eq!(answers.len(), 3);
    let (mut model, mut rgb) = (model(), Vec::new());
    for (answer, frame) in answers.iter().zip(&frames) {
        let raw = RawFrame::new(PixelFormat::Yuyv, width, height, stride as usize, frame).unwrap();
        raw.to_rgb(&mut rgb);
        let expected = expect(&mut model, Frame::new(width, height, &rgb).unwrap());
        assert_eq!(found(answer), expected);
    }
}

#[test]
fn a_stream_of_jpegs_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let jpegs: Vec<Vec<u8>> = (0..4).map(|seed| jpeg(&synthetic(seed, 70, 41))).collect();
    let mut bytes = jpegs.concat();
    // One that its decoder refuses, between markers that are right.
    bytes.extend([0xff, 0xd8, 0xff, 0xda, 0, 4, 0, 0, 1, 2, 3, 0xff, 0xd9]);
    bytes.extend(&jpegs[0]);
    let file = write_file(folder.path(), "frames", &bytes);
    let mut graftd = start(&format!("replay:{file}"), &[]);
    let answers = graftd.ends_well();
    assert_eq!(answers.len(), 5);
    let mut model = model();
    for (answer, jpeg) in answers.iter().zip(jpegs.iter().cycle()) {
        let picture = decode(jpeg, [0; 3]).unwrap();
        assert_eq!(found(answer), expect(&mut model, picture.frame()));
    }
    assert!(graftd.all_said().contains("a frame cannot be read (1 so far)"));
}

#[test]
fn a_picture_of_too_many_pixels_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = folder.path().join("in");
    fs::create_dir(&inbox).unwrap();
    write_file(&inbox, "a.jpg", &jpeg(&synthetic(0, 70, 41)));
    write_file(&inbox, "b.jpg", &jpeg(&synthetic(1, 70, 40)));
    let config = write_file(folder.path(), "g.toml", b"once = true\nmax_pixels = 2800\n");
    let source = format!("folder:{}", inbox.display());
    let mut graftd = start(&source, &["--config", &config]);
    let answers = graftd.ends_well();
    assert_eq!(answers.len(), 1, "{answers:?}");
    let expected = decode(&fs::read(inbox.join("b.jpg")).unwrap(), [0; 3]).unwrap();
    assert_eq!(found(&answers[0]), expect(&mut model(), expected.frame()));
    let said = graftd.all_said();
    assert!(said.contains("the picture claims 70x41 pixels; at most 2800 pixels"), "{said}");
}

#[test]
fn a_file_without_a_frame_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = write_file(folder.path(), "frames", b"short");
    let mut graftd = start(&format!("replay:{file}"), &RAW);
    let (status, _) = graftd.end();
    assert_eq!(status.code(), Some(1));
    assert!(graftd.all_said().contains("there is not one whole frame in it"));
}

#[test]
fn standard_input_can_be_answered_whole() {
    let pictures = pictures(50);
    let mut graftd = start("stdin", &[&RAW[..], &["--lossless"]].concat());
    let mut stdin = graftd.child.stdin.take().unwrap();
    stdin.write_all(&raw(&pictures)).unwrap();
    drop(stdin);
    let answers = graftd.ends_well();
    let mut model = model();
    assert_eq!(answers.len(), pictures.len());
    for (answer, picture) in answers.iter().zip(&pictures) {
        assert_eq!(found(answer), expect(&mut model, picture.frame()));
    }
}

#[test]
fn the_newest_of_live_frames_wins() {
    let frames = pictures(20);
    let count = 4000;
    // Nobody reads the answers until all is written, so that the loop stands
    // still for most of it: a pipe takes some two hundred lines.
    let mut child = Graftd::command(&[&["--source", "stdin"], &RAW[..]].concat())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for frame in frames.iter().cycle().take(count) {
        stdin.write_all(frame.rgb()).unwrap();
    }
    drop(stdin);
    let answers: Vec<Value> = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
        .collect();
    assert!(child.wait().unwrap().success());
    assert_eq!(sequences(&answers), (0..answers.len() as u64).collect::<Vec<u64>>());
    let last = answers.last().unwrap();
    let dropped = last["dropped"].as_u64().unwrap();
    assert!(dropped > 3000, "{dropped} of {count}");
    assert_eq!(answers.len() as u64 + dropped, count as u64);
    // The last one written is never the one that is dropped.
    let written_last = &frames[(count - 1) % frames.len()];
    assert_eq!(found(last), expect(&mut model(), written_last.frame()));
}

#[test]
fn a_fifo_waits_for_its_next_writer() {
    let folder = tempfile::tempdir().unwrap();
    let path = fifo(folder.path());
    let pictures = pictures(3);
    let mut model = model();
    let mut graftd = start(&format!("fifo:{}", path.display()), &RAW);
    for picture in &pictures {
        // One that is cut off, too.
        let mut writer = fs::File::options().write(true).open(&path).unwrap();
        writer.write_all(picture.rgb()).unwrap();
        writer.write_all(&picture.rgb()[..99]).unwrap();
        drop(writer);
        assert_eq!(found(&graftd.answer()), expect(&mut model, picture.frame()));
        graftd.says("in the middle of a frame, after 99 bytes");
    }
    assert!(graftd.is_quiet());
    assert_eq!(graftd.stops(), [] as [Value; 0]);
}

/// Its frame lies in the fifo, which another reader keeps open, when graftd opens it.
#[test]
fn a_writer_that_came_and_went_before_is_heard_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = fifo(folder.path());
    let keeper = rustix::fs::open(&path, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty()).unwrap();
    let picture = &pictures(1)[0];
    let mut writer = fs::File::options().write(true).open(&path).unwrap();
    writer.write_all(picture.rgb()).unwrap();
    writer.write_all(&picture.rgb()[..99]).unwrap();
    drop(writer);
    let mut graftd = start(&format!("fifo:{}", path.display()), &RAW);
    assert_eq!(found(&graftd.answer()), expect(&mut model(), picture.frame()));
    graftd.says("in the middle of a frame, after 99 bytes");
    assert_eq!(graftd.stops(), [] as [Value; 0]);
    drop(keeper);
}

#[test]
fn a_fifo_may_be_read_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = fifo(folder.path());
    let mut graftd = start(&format!("fifo:{}", path.display()), &[&RAW[..], &["--once"]].concat());
    let mut writer = fs::File::options().write(true).open(&path).unwrap();
    writer.write_all(pictures(1)[0].rgb()).unwrap();
    drop(writer);
    assert_eq!(graftd.ends_well().len(), 1);
}

#[test]
fn what_is_no_fifo_is_refused() {
    let mut graftd = start("fifo:/dev/null", &RAW);
    assert_eq!(graftd.end().0.code(), Some(1));
    assert!(graftd.all_said().contains("/dev/null: it is no fifo"));
}

#[test]
fn a_folder_is_answered_and_then_watched() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path();
    let pictures = pictures(4);
    write_file(inside, "b.png", &png(&pictures[1]));
    write_file(inside, "a.png", &png(&pictures[0]));
    write_file(inside, "notes.txt", b"no picture");
    let mut graftd = start(&format!("folder:{}", inside.display()), &[]);
    let mut model = model();
    let mut check = |graftd: &mut Graftd, name: &str, picture: &Picture| {
        let answer = graftd.answer();
        assert_eq!(answer["name"], name);
        assert_eq!(found(&answer), expect(&mut model, picture.frame()));
    };
    check(&mut graftd, "a.png", &pictures[0]);
    check(&mut graftd, "b.png", &pictures[1]);
    assert!(graftd.is_quiet());

    // Renamed into place.
    write_file(inside, "c.png.part", &png(&pictures[2]));
    assert!(graftd.is_quiet());
    fs::rename(inside.join("c.png.part"), inside.join("c.png")).unwrap();
    check(&mut graftd, "c.png", &pictures[2]);

    // Written in place, slowly: it is whole when it is closed.
    let bytes = png(&pictures[3]);
    let mut file = fs::File::create(inside.join("d.png")).unwrap();
    file.write_all(&bytes[..100]).unwrap();
    assert!(graftd.is_quiet());
    file.write_all(&bytes[100..]).unwrap();
    drop(file);
    check(&mut graftd, "d.png", &pictures[3]);

    // Truncated: named, and it stays.
    write_file(inside, "e.png", &bytes[..100]);
    assert!(graftd.says("e.png").contains("broken PNG"));
    assert_eq!(graftd.stops(), [] as [Value; 0]);
    let left = fs::read_dir(inside).unwrap().count();
    assert_eq!(left, 6, "nothing is taken away unless that is asked for");
}

fn disposing(after: &str) -> (tempfile::TempDir, Vec<Value>) {
    let folder = tempfile::tempdir().unwrap();
    let (inside, done) = (folder.path().join("in"), folder.path().join("done"));
    fs::create_dir(&inside).unwrap();
    for (name, picture) in ["a.png", "b.png"].iter().zip(pictures(2)) {
        write_file(&inside, name, &png(&picture));
    }
    write_file(&inside, "broken.png", b"no picture");
    let settings = format!("[folder]\nafter = {after:?}\nmove_to = {done:?}\n");
    let config = write_file(folder.path(), "g.toml", settings.as_bytes());
    let source = format!("folder:{}", inside.display());
    let answers = start(&source, &["--config", &config, "--once"]).ends_well();
    (folder, answers)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn answered_pictures_may_be_deleted_and_broken_ones_stay() {
    let (folder, answers) = disposing("delete");
    assert_eq!(answers.len(), 2);
    assert_eq!(names(&folder.path().join("in")), ["broken.png"]);
    assert!(!folder.path().join("done").exists());
}

#[test]
fn answered_pictures_may_be_moved() {
    let (folder, answers) = disposing("move");
    assert_eq!(answers.len(), 2);
    assert_eq!(names(&folder.path().join("in")), ["broken.png"]);
    assert_eq!(names(&folder.path().join("done")), ["a.png", "b.png"]);
}

#[test]
fn a_picture_over_the_limit_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let config = write_file(folder.path(), "g.toml", b"[folder]\nmax_bytes = 1000\n");
    write_file(folder.path(), "a.png", &png(&pictures(1)[0]));
    let source = format!("folder:{}", folder.path().display());
    let mut graftd = start(&source, &["--config", &config, "--once"]);
    assert_eq!(graftd.ends_well(), [] as [Value; 0]);
    assert!(graftd.all_said().contains("more than the 1000 bytes that are allowed"));
}

#[test]
fn a_folder_that_goes_away_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("in");
    fs::create_dir(&inside).unwrap();
    let mut graftd = start(&format!("folder:{}", inside.display()), &[]);
    graftd.says("references hold");
    // The watch begins after the bundle is open.
    let picture = pictures(1).remove(0);
    write_file(&inside, "a.png", &png(&picture));
    graftd.answer();
    fs::remove_dir_all(&inside).unwrap();
    assert_eq!(graftd.end().0.code(), Some(1));
    assert!(graftd.all_said().contains("the folder is not there any more"));
}

#[test]
fn a_camera_that_is_not_there_is_waited_for() {
    let mut graftd = start("v4l2:/dev/no-such-camera", &[]);
    graftd.says("No such file or directory");
    assert!(graftd.is_quiet());
    assert_eq!(graftd.stops(), [] as [Value; 0]);
}

#[test]
fn what_is_no_camera_is_refused() {
    let mut graftd = start("v4l2:/dev/null", &[]);
    assert_eq!(graftd.end().0.code(), Some(1));
    assert!(graftd.all_said().contains("/dev/null: it is no camera"));
}
