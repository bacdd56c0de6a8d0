//! From the bytes of a JPEG to a tensor of 224×224, and its parts.

use divan::{Bencher, black_box};
use graft_input::{Picture, Preparer, decode, synthetic};
use graft_spec::{Colour, Fit, ImageSpec, Layout};

const SIZES: [(u32, u32); 2] = [(224, 224), (1024, 768)];

fn main() {
    divan::main();
}

fn spec(layout: Layout) -> ImageSpec {
    ImageSpec {
        width: 224,
        height: 224,
        fit: Fit::Stretch,
        resize: None,
        layout,
        colour: Colour::Rgb,
        scale: 255.0,
        mean: vec![0.485, 0.456, 0.406],
        std: vec![0.229, 0.224, 0.225],
        background: [0; 3],
    }
}

fn jpeg((width, height): (u32, u32)) -> Vec<u8> {
    let picture = synthetic(1, width, height);
    let mut bytes = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 90)
        .encode(picture.rgb(), width, height, image::ExtendedColorType::Rgb8)
        .expect("a synthetic picture is encoded");
    bytes
}

fn prepare(bencher: Bencher<'_, '_>, layout: Layout, picture: &Picture) {
    let spec = spec(layout);
    let mut preparer = Preparer::new(&spec).expect("the spec is right");
    let mut tensor = vec![0.0; spec.tensor_len()];
    bencher.bench_local(|| preparer.fill(black_box(picture.frame()), black_box(&mut tensor)));
}

#[divan::bench(args = SIZES)]
fn decode_jpeg(bencher: Bencher<'_, '_>, size: (u32, u32)) {
    let bytes = jpeg(size);
    bencher.bench_local(|| decode(black_box(&bytes), [0; 3]));
}

/// 224×224 is the table alone.
#[divan::bench(args = SIZES)]
fn fill_planes(bencher: Bencher<'_, '_>, (width, height): (u32, u32)) {
    prepare(bencher, Layout::Nchw, &synthetic(1, width, height));
}

#[divan::bench(args = SIZES)]
fn fill_interleaved(bencher: Bencher<'_, '_>, (width, height): (u32, u32)) {
    prepare(bencher, Layout::Nhwc, &synthetic(1, width, height));
}

#[divan::bench(args = SIZES)]
fn decode_and_fill(bencher: Bencher<'_, '_>, size: (u32, u32)) {
    let bytes = jpeg(size);
    let spec = spec(Layout::Nchw);
    let mut preparer = Preparer::new(&spec).expect("the spec is right");
    let mut tensor = vec![0.0; spec.tensor_len()];
    bencher.bench_local(|| {
        let picture = decode(black_box(&bytes), [0; 3]).expect("the JPEG is whole");
        preparer.fill(picture.frame(), black_box(&mut tensor));
    });
}
