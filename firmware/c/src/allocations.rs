//! What one frame allocates in this library: nothing.

#[path = "../../../tests/counting.rs"]
mod counting;

use std::ptr;

use device::Model;
use graft_bundle::Bundle;
use graft_input::{Frame, synthetic};

use crate::answer::{GRAFT_UNKNOWN, graft_answer};
use crate::frame::*;
use crate::functions::*;
use crate::status::graft_status::GRAFT_OK;

const TINY: &[u8] = include_bytes!("../../../crates/runtime/tests/fixtures/tiny.graft");

/// Allocations of each call once it is warm.
fn per_call(mut call: impl FnMut()) -> u64 {
    (0..3).for_each(|_| call());
    let before = counting::of_this_thread();
    call();
    counting::of_this_thread() - before
}

/// What the Rust library and those below it allocate for a frame of that size,
/// which crates/runtime/tests/allocations.rs takes apart.
fn below((width, height): (u32, u32)) -> u64 {
    let mut model = Model::open(&Bundle::parse(TINY).unwrap()).unwrap();
    let picture = synthetic(1, width, height);
    let frame = Frame::new(width, height, picture.rgb()).unwrap();
    per_call(|| assert!(model.predict(frame).is_ok()))
}

#[test]
fn a_frame_allocates_nothing_here() {
    let mut model = ptr::null_mut();
    // SAFETY: the bytes are a slice, and the model's place is a variable.
    let opened =
        unsafe { graft_open_memory(TINY.as_ptr(), TINY.len(), ptr::null(), &raw mut model) };
    assert_eq!(opened, GRAFT_OK);
    // SAFETY: it was opened.
    assert_eq!(unsafe { graft_verify(model) }, GRAFT_OK);

    let bytes = synthetic(2, 100, 100);
    for size @ (width, height) in [(32, 32), (50, 40)] {
        let below = below(size);
        assert!(below > 0, "the engine was seen to allocate");
        for (format, bytes_a_row, rows) in [
            (GRAFT_RGB, 3 * width, height),
            (GRAFT_BGR, 3 * width, height),
            (GRAFT_GREY, width, height),
            (GRAFT_YUYV, 2 * width, height),
            (GRAFT_NV12, width, height * 3 / 2),
        ] {
            let frame = graft_frame {
                size: size_of::<graft_frame>() as u32,
                format,
                width,
                height,
                stride: bytes_a_row as usize,
                data: bytes.rgb().as_ptr(),
                length: (bytes_a_row * rows) as usize,
            };
            let mut answer = graft_answer {
                size: size_of::<graft_answer>() as u32,
                label: GRAFT_UNKNOWN,
                likeliest: 0,
                probability: 0.0,
                probabilities: ptr::null(),
                count: 0,
                tokens: 0,
                known: 0,
            };
            let found = per_call(|| {
                // SAFETY: all three are what they say, and live.
                let status = unsafe { graft_predict(model, &raw const frame, &raw mut answer) };
                assert_eq!(status, GRAFT_OK);
            });
            assert_eq!(found, below, "{width}x{height} in format {format}");
        }
    }
    // SAFETY: it was opened, and is not used again.
    unsafe { graft_close(model) };
}
