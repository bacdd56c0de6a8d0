//! What holds for any bytes and any frame.

use graft_input::{Frame, Preparer};
use graft_spec::{Colour, Fit, ImageSpec, Layout};
use proptest::prelude::*;

fn specs() -> impl Strategy<Value = ImageSpec> {
    (
        1u32..=64,
        1u32..=64,
        prop_oneof![Just(Fit::Stretch), Just(Fit::Crop), Just(Fit::Letterbox)],
        prop_oneof![Just(Layout::Nchw), Just(Layout::Nhwc)],
        prop_oneof![Just(Colour::Rgb), Just(Colour::Bgr), Just(Colour::Grey)],
        any::<[u8; 3]>(),
        prop::option::of([0u32..=9, 0u32..=9]),
    )
        .prop_map(|(width, height, fit, layout, colour, background, margins)| ImageSpec {
            width,
            height,
            fit,
            resize: margins.map(|[across, down]| [width + across, height + down]),
            layout,
            colour,
            scale: 1.0,
            mean: vec![0.0; colour.channels()],
            std: vec![1.0; colour.channels()],
            background,
        })
}

proptest! {
    /// Every value is written, and lies between the darkest and the lightest
    /// sample there is to mix: a triangle filter does not overshoot.
    #[test]
    fn any_frame_fills_any_tensor(
        spec in specs(),
        (width, height) in (1u32..=64, 1u32..=64),
        seed in any::<u8>(),
    ) {
        let rgb: Vec<u8> =
            (0..3 * width * height).map(|i| (i as u8).wrapping_mul(37).wrapping_add(seed)).collect();
        let mut tensor = vec![f32::NAN; spec.tensor_len()];
        let frame = Frame::new(width, height, &rgb).unwrap();
        Preparer::new(&spec).unwrap().fill(frame, &mut tensor);
        let samples = || rgb.iter().chain(&spec.background);
        let low = f32::from(*samples().min().unwrap());
        let high = f32::from(*samples().max().unwrap());
        prop_assert!(tensor.iter().all(|v| (low..=high).contains(v)));
    }

    /// What was prepared before leaves no trace, whatever its size was.
    #[test]
    fn a_preparer_has_no_memory(
        spec in specs(),
        sizes in prop::collection::vec((1u32..=64, 1u32..=64), 1..5),
    ) {
        let mut used = Preparer::new(&spec).unwrap();
        for (width, height) in sizes {
            let picture = graft_input::synthetic(u64::from(width), width, height);
            let (mut tensor, mut fresh) =
                (vec![0.0; spec.tensor_len()], vec![0.0; spec.tensor_len()]);
            used.fill(picture.frame(), &mut tensor);
            Preparer::new(&spec).unwrap().fill(picture.frame(), &mut fresh);
            prop_assert_eq!(tensor, fresh);
        }
    }

    /// A single colour stays that colour: the fixed-point weights sum to one.
    #[test]
    fn flat_frames_stay_flat(
        spec in specs(),
        (width, height) in (1u32..=64, 1u32..=64),
        level in any::<u8>(),
    ) {
        let spec = ImageSpec { background: [level; 3], ..spec };
        let rgb = vec![level; 3 * width as usize * height as usize];
        let mut tensor = vec![f32::NAN; spec.tensor_len()];
        Preparer::new(&spec)
            .unwrap()
            .fill(Frame::new(width, height, &rgb).unwrap(), &mut tensor);
        prop_assert!(tensor.iter().all(|v| *v == f32::from(level)));
    }
}

#[cfg(feature = "decode")]
mod files {
    use std::fs;

    use graft_input::decode;
    use proptest::prelude::*;
    use proptest::sample::Index;

    /// The stored files of every format, to be damaged.
    fn files() -> Vec<Vec<u8>> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/decoded");
        let mut paths: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| !path.to_string_lossy().ends_with(".expected.png"));
        paths.sort();
        paths.iter().map(|path| fs::read(path).unwrap()).collect()
    }

    fn damaged() -> impl Strategy<Value = Vec<u8>> {
        let edits = prop::collection::vec((any::<Index>(), any::<u8>()), 1..12);
        let cut = prop::option::of(any::<Index>());
        (prop::sample::select(files()), edits, cut).prop_map(|(mut bytes, edits, cut)| {
            for (at, value) in edits {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            bytes
        })
    }

    /// A beginning that is recognised, then anything.
    fn headed() -> impl Strategy<Value = Vec<u8>> {
        let heads: [&[u8]; 8] = [
            b"",
            b"\xff\xd8\xff",
            b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR",
            b"BM",
            b"GIF89a",
            b"II*\0\x08\0\0\0",
            b"MM\0*\0\0\0\x08",
            b"RIFF\xff\0\0\0WEBPVP8 ",
        ];
        (prop::sample::select(heads.to_vec()), prop::collection::vec(any::<u8>(), 0..300))
            .prop_map(|(head, tail)| [head, &tail].concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn damaged_files_never_panic(bytes in damaged()) {
            _ = decode(&bytes, [0; 3]);
        }

        #[test]
        fn any_bytes_never_panic(bytes in headed()) {
            _ = decode(&bytes, [0; 3]);
        }
    }
}
