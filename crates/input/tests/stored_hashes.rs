//! The same tensors in every build: on x86-64, aarch64 and armv7, debug and
//! release, with and without SIMD.
//!
//! Nothing here touches a file, so the test runs under an emulator or on a
//! board as one copied executable. The digests were printed by the first build
//! for x86-64 after `tests/pillow.rs` had passed; they stand for "the same
//! everywhere", and that test for "right".

use graft_input::tokens::synthetic_sentence;
use graft_input::words::{TablePrecision, TextPreparer, WordTable, synthetic_text, write_table};
use graft_input::{PixelFormat, Preparer, RawFrame, synthetic, tensor_sha256};
use graft_spec::{Colour, Fit, ImageSpec, Layout, Pooling, Tokeniser, WordsSpec};

struct Case {
    /// Seed, width, height.
    picture: (u64, u32, u32),
    tensor: (u32, u32),
    fit: Fit,
    resize: Option<[u32; 2]>,
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
        resize: case.resize,
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
        resize: None,
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
            "1fbe0818b8101d5e12651aeba95866456f1fbe9715902e8a3cac7e15ef7f4753",
        ),
        case(
            (3, 1024, 768),
            (224, 224),
            Crop,
            Nchw,
            Bgr,
            255.0,
            "4b5f687dcc33db874e141d7812678412e15abedbd20abf9cd168393a0ba9a488",
        ),
        case(
            (4, 640, 480),
            (299, 299),
            Letterbox,
            Nhwc,
            Rgb,
            127.5,
            "59565e6bb9ce5a2fd995a6edbeef39cbe10d4135be0ba4f7639b345a7ed2a2da",
        ),
        case(
            (5, 61, 97),
            (224, 224),
            Stretch,
            Nhwc,
            Bgr,
            1.0,
            "f77325828d8aea89de0c2ba2b073fe23005d57799b9bd0f548a70ee7f72770e9",
        ),
        case(
            (6, 333, 250),
            (28, 28),
            Letterbox,
            Nchw,
            Grey,
            255.0,
            "d663a3e44300bd3be4ddbc9c703d724b970bcfc7c84039b14a5800d1c132174c",
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
            "37a42206bd2d5411823e597dd08bf0d1379f483cbd75a7c43712084bd2c73918",
        ),
        case(
            (9, 1999, 1501),
            (320, 180),
            Crop,
            Nhwc,
            Grey,
            255.0,
            "c0f70e43abadf66675e80c22fe9b577777bf6d0e3833e6ab1f922dc98204a7c6",
        ),
    ];
    let larger = Case {
        resize: Some([256, 256]),
        ..case(
            (11, 1024, 768),
            (224, 224),
            Crop,
            Nchw,
            Rgb,
            255.0,
            "d4b1005053119ea78b82ab6e23ea58f3e9408edba9f3898851e9d16c88e15b7a",
        )
    };
    let cases = cases.into_iter().chain([larger]).collect::<Vec<_>>();
    let wrong: Vec<_> = cases
        .iter()
        .enumerate()
        .map(|(i, case)| (i, digest(case), case.sha256))
        .filter(|(_, got, stored)| got != stored)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Integers by formula: `tests/raw.rs` holds them to OpenCV.
#[test]
fn raw_frames_are_the_same_in_every_build() {
    let check = |format: PixelFormat, sha256: &str| {
        // Odd sides, padded rows, and more than one block of a row.
        let (width, height) = (323, 77);
        let stride = usize::try_from(format.row_bytes(width)).unwrap() + 5;
        let length = usize::try_from(format.rows(height)).unwrap() * stride;
        let picture = synthetic(10, 400, 300);
        let mut rgb = Vec::new();
        let bytes = &picture.rgb()[..length];
        RawFrame::new(format, width, height, stride, bytes).unwrap().to_rgb(&mut rgb);
        let tensor: Vec<f32> = rgb.iter().copied().map(f32::from).collect();
        let found: String = tensor_sha256(&tensor).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(found, sha256, "{format}");
    };
    check(PixelFormat::Yuyv, "762e07c40b2f93aa655df7a7e9ac8cd5226e9530e28f2004cfe599e4fdb94dc8");
    check(PixelFormat::Nv12, "63a2186dada3f7ac182b9647adefd4531cdbb1d011efb70509064da2e75f72e1");
}

/// Expected: `crates/bundle/tests/fixtures/words.py`, after `docs/format.md`: numpy's
/// arithmetic and a table of its own writing.
#[test]
fn pooled_texts_are_the_same_in_every_build() {
    use {Pooling::*, TablePrecision::*};
    const WORDS: [&str; 16] = [
        "the", "cat", "sat", "'s", "n't", "do", "on", "mat", ",", ".", "1,000", "state", "art",
        "über", "-", "q",
    ];
    const TEXTS: [&str; 4] =
        ["The cat's sat on the mat, don't.", "ÜBER state-of-the-art: 1,000 cats’ -", "", "xyzzy"];
    let value = |i: u16, j: u16| {
        let numerator = f32::from((i * 37 + j * 101) % 251) - 125.0;
        numerator / if j.is_multiple_of(3) { 7.0 } else { 64.0 }
    };
    let rows: Vec<Vec<f32>> = (0..16).map(|i| (0..50).map(|j| value(i, j)).collect()).collect();
    let check = |precision, pooling, sha256: &str| {
        let numbered = (1_u16..).zip(WORDS).zip(&rows);
        let rows = numbered.map(|((i, word), row)| (word, 1.0 / f32::from(i), row.as_slice()));
        let bytes = write_table(rows, 50, precision).unwrap();
        let tokens = Tokeniser::Words { lowercase: true };
        let spec = WordsSpec { tokens, pooling, dimensions: 50, max_bytes: 10_000 };
        let table = WordTable::parse(bytes).unwrap();
        let made = synthetic_text(11, 300, &table);
        let mut preparer = TextPreparer::new(&spec, table).unwrap();
        let mut all = Vec::new();
        for text in TEXTS.into_iter().chain([made.as_str()]) {
            let mut features = vec![0.0; spec.feature_length()];
            preparer.fill(text, &mut features);
            all.extend(features);
        }
        let found: String = tensor_sha256(&all).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(found, sha256, "{precision:?} {pooling:?}");
    };
    check(F32, Mean, "d149ddcfc974869987c70d0219a04bb4ad1d556702523d64e4b8484ac91dbac6");
    check(F32, Weighted, "4fca30f71f8790350930628d4557847df4ba330b6329c6872f9d2557a0dd69f6");
    check(F32, MaxMean, "a78f31f38606dfd913f655e867012c3ae28310990ccb1f0da27712b968653864");
    check(F32, Last(5), "fd6cc5ee5eee6ca1f50ef1d191dd729987a12a4d7296cd1f14148e41001c5a37");
    check(F16, Mean, "a0e9a7b43cfcab7ff9eab7a946a8d84c0db32436fe11ebfc5dc2e000a4d0f405");
    check(F16, Weighted, "43b0e5a5bdf48604d27b6f3273878856b7be1e7307f58e99aaffdea5e321d8f8");
    check(F16, MaxMean, "1cc1b14a322b364eb2b34aced5eeb37d80286bfc3ed38dfe49cf50f435e13617");
    check(F16, Last(5), "f6ee282acb589c291ffd9e2fec43f7d39b2b12d3614953d54098d7d4b9e0868c");
    check(I8, Mean, "840fd9241d42e1e73adaae3b2f328bf7a5940bed36951d4ab668844c7c120891");
    check(I8, Weighted, "68437bb00dbe4f5def4d93dd06a285b7b1a0682c103d8a6d84833f8a01f590ff");
    check(I8, MaxMean, "14e7b0b72779b8ec9e11c64827d5d584f8b16ca45438cca7aca161f32d095740");
    check(I8, Last(5), "40f0b6eef13788f1750ae9f7e5e2b652533109ec38a14c7f9e322948fa5bfd5a");
}

/// References are made of them. Expected: `sentence` of models/tiny_encoder/sentences.py.
#[test]
fn synthetic_sentences_are_the_same_in_every_build() {
    let sentence = synthetic_sentence(9, 200);
    let bytes: Vec<f32> = sentence.bytes().map(f32::from).collect();
    let found: String = tensor_sha256(&bytes).iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(
        found, "002d7c954ffe89c4b356f176604d1fa096488c8d6828f6e2559abbc41ed37f67",
        "{sentence}"
    );
}
