//! The same tensors in every build: on x86-64, aarch64 and armv7, debug and
//! release, with and without SIMD.
//!
//! Nothing here touches a file, so the test runs under an emulator or on a
//! board as one copied executable. The digests were printed by the first build
//! for x86-64 after `tests/pillow.rs` had passed; they stand for "the same
//! everywhere", and that test for "right".

use graft_input::{Preparer, synthetic, tensor_sha256};
use graft_spec::{Colour, Fit, ImageSpec, Layout};

struct Case {
    /// Seed, width, height.
    picture: (u64, u32, u32),
    tensor: (u32, u32),
    fit: Fit,
    layout: Layout,
    colour: Colour,
    scale: f32,
    sha256: &'static str,
}

fn digest(case: &Case) -> String {
    let channels = case.colour.channels();
    let spec = ImageSpec {
        width: case.tensor.0,
        height: case.tensor.1,
        fit: case.fit,
        layout: case.layout,
        colour: case.colour,
        scale: case.scale,
        mean: [0.485, 0.456, 0.406][..channels].to_vec(),
        std: [0.229, 0.224, 0.225][..channels].to_vec(),
        background: [124, 116, 104],
    };
    let (seed, width, height) = case.picture;
    let mut tensor = vec![0.0; spec.tensor_len()];
    Preparer::new(&spec).unwrap().fill(synthetic(seed, width, height).frame(), &mut tensor);
    tensor_sha256(&tensor).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn prepared_tensors_are_the_same_in_every_build() {
    use {Colour::*, Fit::*, Layout::*};
    let case = |picture, tensor, fit, layout, colour, scale, sha256| Case {
        picture,
        tensor,
        fit,
        layout,
        colour,
        scale,
        sha256,
    };
    let cases = [
        case(
            (1, 224, 224),
            (224, 224),
            Stretch,
            Nchw,
            Rgb,
            255.0,
            "e82f32960e4ee64c774fd5b13a738d637e365024e7fd058678b5530a09cca7a8",
        ),
        case(
            (2, 1024, 768),
            (224, 224),
            Stretch,
            Nchw,
            Rgb,
            255.0,
            "269a9e21b7850124cf2cde835782e5cf4276f7614ce1c075cb0cd59bf4722cee",
        ),
        case(
            (3, 1024, 768),
            (224, 224),
            Crop,
            Nchw,
            Bgr,
            255.0,
            "514b59e5f04f46586f33150f4a90f93ccd4fe82065fa64ad1066ccad6b79c923",
        ),
        case(
            (4, 640, 480),
            (299, 299),
            Letterbox,
            Nhwc,
            Rgb,
            127.5,
            "9ed4d4da415bd907015cee8cb9356c3d0b7436236ef5c3c68b968c11a08f0f84",
        ),
        case(
            (5, 61, 97),
            (224, 224),
            Stretch,
            Nhwc,
            Bgr,
            1.0,
            "df665bd36da605832a16b86fe0e0f802a5077b1db1eb0842a19b644fbb25b8ad",
        ),
        case(
            (6, 333, 250),
            (28, 28),
            Letterbox,
            Nchw,
            Grey,
            255.0,
            "b8ec3625abe8ac9e67123847ae458bd62bbab3f363eef137664bdf6d5bb2ab4f",
        ),
        case(
            (7, 1, 1),
            (7, 5),
            Stretch,
            Nchw,
            Rgb,
            255.0,
            "e0faf3c18a090cd6b0d39f25f7cd3ff1515c294287c27cbcd7197d8bc7b19400",
        ),
        case(
            (8, 4096, 3),
            (96, 96),
            Stretch,
            Nchw,
            Rgb,
            255.0,
            "821e892185e461d749925d487f36fe6d793a9eccdff5c3a4c52b2b1cb3d73875",
        ),
        case(
            (9, 1999, 1501),
            (320, 180),
            Crop,
            Nhwc,
            Grey,
            255.0,
            "e48d3756c364fa8f577ffadc605a5fcbe2c7b3434d61922092e4d8058486e0ef",
        ),
    ];
    let wrong: Vec<_> = cases
        .iter()
        .enumerate()
        .map(|(i, case)| (i, digest(case), case.sha256))
        .filter(|(_, got, stored)| got != stored)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
