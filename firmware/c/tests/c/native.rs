//! On this machine: the example answers as the Rust library does, to the last
//! bit; misuse is told, under sanitizers too.

use std::fs;
use std::path::Path;
use std::process::Command;

use graft_input::{PixelFormat, synthetic};

use crate::bundles::{self, Expected};
use crate::install;
use crate::programs::{Linking, Machine, run};

/// A picture to ask about: its file, and the arguments of classify.c for it.
pub struct Case {
    pub arguments: Vec<String>,
    expected: Expected,
}

/// One of each format with odd sizes and padding after each row, and a PPM file,
/// for one form of the network or the other; written to `folder`.
pub fn cases(folder: &Path) -> Vec<Case> {
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        fs::write(&path, bytes).expect("there is room for a small picture");
        path.into_os_string().into_string().expect("paths are UTF-8")
    };
    let onnx = bundles::tiny().into_os_string().into_string().expect("paths are UTF-8");
    let nnef = write("two_forms.graft", &bundles::two_forms());
    let raw = |bundle: &str, format, name: &str, (width, height): (u32, u32), padding: usize| {
        let stride = format_row(format, width) + padding;
        let rows = usize::try_from(format.rows(height)).expect("a small picture");
        // Slopes and edges; what they look like in another format does not matter.
        let bytes: Vec<u8> =
            synthetic(7, 128, 128).rgb().iter().copied().take(rows * stride).collect();
        Case {
            expected: bundles::expected(bundle.as_ref(), format, (width, height), stride, &bytes),
            arguments: vec![
                bundle.to_owned(),
                write(&format!("frame.{name}"), &bytes),
                name.to_owned(),
                width.to_string(),
                height.to_string(),
                stride.to_string(),
            ],
        }
    };
    let picture = synthetic(3, 32, 32);
    let ppm = [b"P6\n# a comment\n32 32\n255\n", picture.rgb()].concat();
    let ppm = Case {
        arguments: vec![onnx.clone(), write("picture.ppm", &ppm)],
        expected: bundles::expected(onnx.as_ref(), PixelFormat::Rgb, (32, 32), 96, picture.rgb()),
    };
    let (words, next_word) = (bundles::words(), bundles::next_word());
    let text = |bundle: &Path, name: &str, text: &str| Case {
        expected: bundles::expected_of_text(bundle, text),
        arguments: vec![bundle.display().to_string(), write(name, text.as_bytes()), "text".into()],
    };
    vec![
        text(&words, "storm.txt", "The storm wasn’t cold.\n"),
        text(&words, "unknown.txt", "qwerty"),
        text(&next_word, "next.txt", "The CAT doesn’t: it eats"),
        raw(&onnx, PixelFormat::Rgb, "rgb", (101, 70), 5),
        raw(&nnef, PixelFormat::Bgr, "bgr", (32, 32), 0),
        raw(&onnx, PixelFormat::Grey, "grey", (77, 91), 3),
        raw(&onnx, PixelFormat::Yuyv, "yuyv", (103, 60), 8),
        raw(&nnef, PixelFormat::Nv12, "nv12", (99, 75), 1),
        ppm,
    ]
}

/// Texts for a sentence encoder, which the library reads if it was built for that.
pub fn sentences(folder: &Path) -> Vec<Case> {
    let bundle = bundles::sentence();
    let texts = ["The soup, the bread and salt.\n", "🙂", "goal team goal"];
    let case = |(number, text): (usize, &str)| {
        let path = folder.join(format!("sentence{number}.txt"));
        fs::write(&path, text).expect("there is room for a text");
        Case {
            expected: bundles::expected_of_text(&bundle, text),
            arguments: [&bundle, &path, Path::new("text")]
                .map(|argument| argument.to_str().expect("paths are UTF-8").to_owned())
                .to_vec(),
        }
    };
    texts.into_iter().enumerate().map(case).collect()
}

fn format_row(format: PixelFormat, width: u32) -> usize {
    usize::try_from(format.row_bytes(width)).expect("a small picture")
}

/// Runs classify.c for each case and compares decision and probabilities.
pub fn check_answers(machine: &Machine, classify: &Path, cases: &[Case], tolerance: f32) {
    let mut largest = 0.0_f32;
    for case in cases {
        let output = machine.start(classify, &case.arguments);
        let said = String::from_utf8_lossy(&output.stdout);
        let mut lines = said.lines();
        let context = format!("{:?}: {output:?}", case.arguments);
        assert_eq!(lines.next(), Some(case.expected.decision.as_str()), "{context}");
        assert_eq!(output.status.code(), Some((case.expected.decision == "unknown").into()));
        let found: Vec<f32> = lines
            .map(|line| line.split('\t').next().and_then(|p| p.parse().ok()).expect(&context))
            .collect();
        let expected = &case.expected.probabilities;
        assert_eq!(found.len(), expected.len(), "{context}");
        let off = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        // Not above, rather than below: NaN must not pass.
        assert!(off <= tolerance, "{context}: off by {off}, expected {expected:?}");
        largest = largest.max(off);
    }
    println!("{}: off by {largest} at most", classify.display());
}

/// Runs misuse.c, which says by itself what went wrong.
pub fn check_misuse(machine: &Machine, misuse: &Path, arguments: &[String]) {
    let output = machine.start(misuse, arguments);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.trim_end().ends_with(" checks, 0 wrong"),
        "{}: {}\n{said}\n{}",
        misuse.display(),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn the_example_answers_as_the_library_does() {
    let folder = tempfile::tempdir().unwrap();
    let mut cases = cases(folder.path());
    cases.extend(sentences(folder.path()));
    let machine = Machine::host();
    for linking in [Linking::Archive, Linking::Shared] {
        let package = (install::host(), linking);
        let classify = machine.compile("example/classify.c", package, &[], folder.path());
        check_answers(&machine, &classify, &cases, 0.0);
    }
}

#[test]
fn the_example_reads_picture_files() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::host();
    let package = (install::host(), Linking::Shared);
    let classify = machine.compile("example/classify.c", package, &[], folder.path());
    let png = crate::firmware("../crates/input/tests/fixtures/decoded/rgb.png");
    let bytes = fs::read(&png).unwrap();
    let picture = graft_input::decode(&bytes, [0; 3]).unwrap();
    let (width, height) = (picture.width(), picture.height());
    let stride = 3 * width as usize;
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let case = Case {
        arguments: vec![text(&bundles::tiny()), text(&png)],
        expected: bundles::expected(
            &bundles::tiny(),
            PixelFormat::Rgb,
            (width, height),
            stride,
            picture.rgb(),
        ),
    };
    check_answers(&machine, &classify, &[case], 0.0);
}

/// A user's mistakes in the example's own arguments.
#[test]
fn the_example_says_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::host();
    let package = (install::host(), Linking::Shared);
    let classify = machine.compile("example/classify.c", package, &[], folder.path());
    let tiny = bundles::tiny().to_str().unwrap().to_owned();
    let check = |arguments: &[&str], expected: &str| {
        let arguments: Vec<String> = arguments.iter().map(|&a| a.to_owned()).collect();
        let output = machine.start(&classify, &arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
    };
    check(&[], "usage: classify BUNDLE PICTURE");
    check(&["/nowhere", "x"], "cannot read \"/nowhere\": No such file");
    check(&[&tiny, "/nowhere"], "/nowhere: No such file");
    check(&[&tiny, "/"], "/: Is a directory");
    check(&[&tiny, &tiny], "not a JPEG, PNG, BMP, GIF, TIFF or WebP picture");
    check(&[&tiny, &tiny, "rgb", "9", "9"], "a frame of 9x9 in RGB with stride 27 has 243 bytes");
    check(&[&tiny, &tiny, "cmyk", "9", "9"], "graft_frame.format is 0");
}

#[test]
fn misuse_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::host();
    let arguments = bundles::for_misuse(folder.path());
    for linking in [Linking::Archive, Linking::Shared] {
        let package = (install::host(), linking);
        let misuse = machine.compile("tests/c/misuse.c", package, &[], folder.path());
        check_misuse(&machine, &misuse, &arguments);
    }
}

/// Reads past an end, uses after a free, leaks. Rust's side of it is compiled
/// without sanitizers, but its allocations and its reads through libc are seen.
#[test]
fn misuse_is_clean_under_sanitizers() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::host();
    let arguments = bundles::for_misuse(folder.path());
    let flags = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
    let package = (install::host(), Linking::Shared);
    let misuse = machine.compile("tests/c/misuse.c", package, &flags, folder.path());
    check_misuse(&machine, &misuse, &arguments);
}

#[test]
fn the_header_is_cplusplus_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let prefix = install::host();
    let program = folder.path().join("header");
    run(Command::new("c++")
        .args(["-std=c++11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-I"])
        .arg(prefix.join("include"))
        .arg(crate::firmware("c/tests/c/header.cpp"))
        .arg("-o")
        .arg(&program)
        .arg(prefix.join("lib/libgraft_runtime.so"))
        .arg(format!("-Wl,-rpath,{}", prefix.join("lib").display())));
    run(&mut Command::new(program));
}
