//! What one frame costs in allocations, once frames of its size have been seen.

#[path = "../../../tests/counting.rs"]
mod counting;

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use graft_input::{Preparer, synthetic, tensor_sha256};
use graft_spec::{Colour, Fit, ImageSpec, Layout};

fn counted(work: impl FnOnce()) -> u64 {
    let before = counting::of_this_thread();
    work();
    counting::of_this_thread() - before
}

fn spec(fit: Fit) -> ImageSpec {
    ImageSpec {
        width: 224,
        height: 224,
        fit,
        resize: None,
        layout: Layout::Nchw,
        colour: Colour::Rgb,
        scale: 255.0,
        mean: vec![0.485, 0.456, 0.406],
        std: vec![0.229, 0.224, 0.225],
        background: [0; 3],
    }
}

/// Of the second frame of that size.
fn of_a_frame(fit: Fit, width: u32, height: u32) -> u64 {
    of_a_frame_for(&spec(fit), width, height)
}

fn of_a_frame_for(spec: &ImageSpec, width: u32, height: u32) -> u64 {
    let picture = synthetic(1, width, height);
    let mut preparer = Preparer::new(spec).unwrap();
    let mut tensor = vec![0.0; spec.tensor_len()];
    preparer.fill(picture.frame(), &mut tensor);
    counted(|| preparer.fill(picture.frame(), &mut tensor))
}

#[test]
fn a_frame_of_the_tensors_size_costs_none() {
    for fit in [Fit::Stretch, Fit::Crop, Fit::Letterbox] {
        assert_eq!(of_a_frame(fit, 224, 224), 0, "{fit:?}");
    }
    // Cropping alone is a copy.
    assert_eq!(of_a_frame(Fit::Crop, 300, 224), 0);
    let larger = ImageSpec { resize: Some([256, 240]), ..spec(Fit::Stretch) };
    assert_eq!(of_a_frame_for(&larger, 256, 240), 0);
    let tensor = vec![0.5; 1000];
    assert_eq!(counted(|| _ = tensor_sha256(&tensor)), 0);
}

/// The resizer makes its coefficients anew for each call: one allocation for
/// each row and column of the output, and six. This keeps ours at none, and
/// tells when the dependency gets better or worse.
#[test]
fn a_resized_frame_costs_what_the_resizer_costs() {
    let picture = synthetic(1, 640, 480);
    let from = TypedImageRef::<U8x3>::from_buffer(640, 480, picture.rgb()).unwrap();
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    let mut resizer = Resizer::new();
    let mut to = TypedImage::<U8x3>::new(224, 224);
    resizer.resize_typed(&from, &mut to, &options).unwrap();
    let alone = counted(|| resizer.resize_typed(&from, &mut to, &options).unwrap());

    let ours = of_a_frame(Fit::Stretch, 640, 480);
    assert_eq!(ours, alone, "a frame of 640x480 made {ours}, the resizer alone {alone}");
    assert_eq!(alone, 224 + 224 + 6, "the resizer's own allocations for 224x224");
    // A letterboxed frame of 224x168.
    assert_eq!(of_a_frame(Fit::Letterbox, 640, 480), 224 + 168 + 6);
    let larger = ImageSpec { resize: Some([256, 240]), ..spec(Fit::Stretch) };
    assert_eq!(of_a_frame_for(&larger, 640, 480), 256 + 240 + 6);
}
