//! Preparation against Pillow's, on fine patterns at awkward ratios.

mod patterns;

use graft_input::{Picture, Preparer};
use graft_spec::{Colour, Fit, ImageSpec, Layout};

/// The same filter, in the same order, with coefficients of nearly the same
/// precision: a sample that lies at a half may round another way. Measured: at
/// most 1, on average 0 to 0.0054, and 0.051 in one picture of 80×80.
const LARGEST_DIFFERENCE: u8 = 1;
const MEAN_DIFFERENCE: f64 = 0.06;
/// Of the two, neither is nearer to the exact filter: the ratio of their mean
/// errors, measured at 0.94 to 1.02.
const WORSE_THAN_PILLOW: f64 = 1.05;

const BACKGROUND: [u8; 3] = [10, 200, 90];

/// The triangle filter by its definition, in f64, rounded nowhere: each output
/// is the mean of the inputs weighted by `1 - |distance| / radius`, the radius
/// being the ratio of the sizes or 1 if that is greater.
fn exact(picture: &Picture, to: (u32, u32)) -> Vec<f64> {
    let weights = |size: u32, out: u32, at: u32| -> Vec<(usize, f64)> {
        let ratio = f64::from(size) / f64::from(out);
        let centre = (f64::from(at) + 0.5) * ratio;
        let of = |i: u32| (1.0 - (f64::from(i) + 0.5 - centre).abs() / ratio.max(1.0)).max(0.0);
        let sum: f64 = (0..size).map(of).sum();
        (0..size).map(|i| (i as usize, of(i) / sum)).filter(|(_, w)| *w > 0.0).collect()
    };
    let columns: Vec<_> = (0..to.0).map(|x| weights(picture.width(), to.0, x)).collect();
    let mut out = Vec::new();
    for y in 0..to.1 {
        let rows = weights(picture.height(), to.1, y);
        for (x, c) in (0..to.0 as usize).flat_map(|x| (0..3).map(move |c| (x, c))) {
            let row = |j: usize| -> f64 {
                let at = |i: usize| picture.rgb()[3 * (j * picture.width() as usize + i) + c];
                columns[x].iter().map(|&(i, w)| w * f64::from(at(i))).sum()
            };
            out.push(rows.iter().map(|&(j, w)| w * row(j)).sum());
        }
    }
    out
}

fn mean_error(pixels: &[u8], exact: &[f64]) -> f64 {
    assert_eq!(pixels.len(), exact.len());
    pixels.iter().zip(exact).map(|(p, e)| (f64::from(*p) - e).abs()).sum::<f64>()
        / pixels.len() as f64
}

/// The prepared pixels themselves: RGB, nothing scaled.
fn pixels_of(pattern: &str, from: (u32, u32), to: (u32, u32), fit: Fit, colour: Colour) -> Vec<u8> {
    prepared(pattern, from, &spec(to, fit, colour))
}

fn spec(to: (u32, u32), fit: Fit, colour: Colour) -> ImageSpec {
    let channels = colour.channels();
    ImageSpec {
        width: to.0,
        height: to.1,
        fit,
        resize: None,
        layout: Layout::Nhwc,
        colour,
        scale: 1.0,
        mean: vec![0.0; channels],
        std: vec![1.0; channels],
        background: BACKGROUND,
    }
}

fn prepared(pattern: &str, from: (u32, u32), spec: &ImageSpec) -> Vec<u8> {
    let mut tensor = vec![f32::NAN; spec.tensor_len()];
    let picture = patterns::picture(pattern, from.0, from.1);
    Preparer::new(spec).unwrap().fill(picture.frame(), &mut tensor);
    tensor.into_iter().map(|v| v as u8).collect()
}

fn pillow(pattern: &str, from: (u32, u32), to: (u32, u32), fit: &str) -> image::DynamicImage {
    let name = format!("{pattern}_{}x{}_{}x{}_{fit}.png", from.0, from.1, to.0, to.1);
    let path = format!("{}/tests/fixtures/resized/{name}", env!("CARGO_MANIFEST_DIR"));
    image::open(&path).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn compare(name: &str, ours: &[u8], theirs: &[u8]) {
    assert_eq!(ours.len(), theirs.len(), "{name}");
    let differences = || ours.iter().zip(theirs).map(|(a, b)| a.abs_diff(*b));
    let largest = differences().max().unwrap();
    let mean = differences().map(f64::from).sum::<f64>() / ours.len() as f64;
    assert!(largest <= LARGEST_DIFFERENCE, "{name}: largest difference {largest}");
    assert!(mean <= MEAN_DIFFERENCE, "{name}: mean difference {mean}");
}

fn word(fit: Fit) -> &'static str {
    match fit {
        Fit::Stretch => "stretch",
        Fit::Crop => "crop",
        Fit::Letterbox => "letterbox",
    }
}

fn check(pattern: &str, from: (u32, u32), to: (u32, u32), fit: Fit) {
    let word = word(fit);
    let ours = pixels_of(pattern, from, to, fit, Colour::Rgb);
    let theirs = pillow(pattern, from, to, word).into_rgb8();
    compare(&format!("{pattern} {from:?} to {to:?} {word}"), &ours, theirs.as_raw());
}

// The same list is in fixtures/make.py.
#[test]
fn prepared_pictures_are_pillows() {
    use Fit::*;
    check("checkers1", (257, 193), (100, 75), Stretch);
    check("checkers2", (500, 375), (64, 48), Stretch);
    check("zone_plate", (640, 480), (96, 96), Crop);
    check("zone_plate", (40, 300), (80, 80), Stretch);
    check("lines", (333, 250), (128, 50), Stretch);
    check("lines", (64, 300), (64, 40), Stretch);
    check("lines", (300, 64), (40, 64), Stretch);
    check("lines", (4000, 3), (16, 16), Stretch);
    check("noise", (97, 61), (64, 64), Stretch);
    check("noise", (17, 13), (96, 64), Stretch);
    check("noise", (61, 97), (50, 40), Letterbox);
    check("noise", (1, 1), (8, 8), Stretch);
    check("text", (400, 300), (120, 120), Letterbox);
    check("text", (50, 20), (111, 77), Crop);
    check("text", (1000, 999), (90, 91), Crop);
    check("synthetic", (1024, 768), (112, 112), Stretch);
    check("synthetic", (5, 3), (64, 64), Letterbox);
    check("synthetic", (768, 1024), (56, 100), Crop);
}

// The same list is in fixtures/make.py.
#[test]
fn centres_of_a_larger_size_are_pillows() {
    let check = |pattern, from, to: (u32, u32), fit, larger: [u32; 2]| {
        let ours = ImageSpec { resize: Some(larger), ..spec(to, fit, Colour::Rgb) };
        let ours = prepared(pattern, from, &ours);
        let word = format!("{}_of_{}x{}", word(fit), larger[0], larger[1]);
        let theirs = pillow(pattern, from, to, &word).into_rgb8();
        compare(&format!("{pattern} {from:?} to {to:?} {word}"), &ours, theirs.as_raw());
    };
    check("zone_plate", (640, 480), (96, 96), Fit::Crop, [110, 110]);
    check("synthetic", (1024, 768), (112, 96), Fit::Stretch, [128, 127]);
    check("noise", (61, 97), (50, 40), Fit::Letterbox, [57, 60]);
}

#[test]
fn no_further_from_the_exact_filter_than_pillow() {
    for (pattern, from, to) in [
        ("checkers1", (257, 193), (100, 75)),
        ("zone_plate", (40, 300), (80, 80)),
        ("lines", (333, 250), (128, 50)),
        ("noise", (97, 61), (64, 64)),
        ("noise", (17, 13), (96, 64)),
        ("synthetic", (1024, 768), (112, 112)),
    ] {
        let exact = exact(&patterns::picture(pattern, from.0, from.1), to);
        let ours = mean_error(&pixels_of(pattern, from, to, Fit::Stretch, Colour::Rgb), &exact);
        let theirs = mean_error(&pillow(pattern, from, to, "stretch").into_rgb8(), &exact);
        assert!(ours <= WORSE_THAN_PILLOW * theirs, "{pattern}: {ours} against {theirs}");
    }
}

#[test]
fn grey_is_pillows() {
    let (from, to) = ((1024, 768), (112, 112));
    let ours = pixels_of("synthetic", from, to, Fit::Stretch, Colour::Grey);
    // Stored, and made by Pillow's own convert("L").
    let path = format!("{}/tests/fixtures/resized/grey.png", env!("CARGO_MANIFEST_DIR"));
    let theirs = image::open(path).unwrap().into_luma8();
    compare("grey", &ours, theirs.as_raw());
}
