//! Any bytes give a graph or an error: no panic, no endless work, and memory
//! bounded by a constant times the length of the input.

mod fixture;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use graft_onnx::{DenseLayer, Dim, Graph, HeadWeights, Pool};
use proptest::prelude::*;

struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(change: isize) {
    // The thread may be ending, and its counters gone.
    let held = HELD.try_with(|held| {
        held.set(held.get() + change);
        held.get()
    });
    if let Ok(held) = held {
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(held)));
    }
}

// SAFETY: every call is handed to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes of memory a byte of input may take, and those that anything may take:
/// an empty message of two bytes becomes a structure of some hundred, and a node
/// of twenty may state 256 values.
const PER_BYTE: usize = 600;
const AT_LEAST: usize = 1 << 16;

/// Calls everything there is on what the bytes say.
fn exercise(bytes: &[u8]) {
    let before = HELD.get();
    PEAK.set(before);
    if let Ok(graph) = Graph::parse(bytes) {
        let again = Graph::parse(&graph.to_bytes()).expect("our own bytes");
        assert_eq!(again.to_bytes(), graph.to_bytes());
        let _ = (graph.summary(), graph.classifier(), graph.batch(), graph.outputs());
        let two = [Dim::Fixed(2), Dim::Unknown, Dim::Unknown, Dim::Unknown];
        for input in graph.inputs() {
            let _ = graph.clone().with_input_shape(&input.name, &two);
        }
        let free = graph.clone().with_dynamic_batch();
        assert_eq!(Graph::parse(&free.to_bytes()).expect("our own bytes"), free);
        let tensors = graph.tensors();
        let head = |inputs| HeadWeights {
            layers: vec![DenseLayer {
                inputs,
                outputs: 2,
                weights: vec![0.0; inputs * 2],
                bias: vec![0.0; 2],
            }],
        };
        for tensor in tensors.iter().step_by(tensors.len().div_ceil(8).max(1)) {
            let Ok(features) = graph.clone().pooled_features(&tensor.name, Pool::Mean) else {
                continue;
            };
            if let Some([_, Dim::Fixed(length @ ..10_000)]) = features.outputs()[0].shape.as_deref()
            {
                let grafted = features.append_head(&head(*length as usize)).expect("it fits");
                let grafted = grafted.with_probabilities(2.0).expect("there are logits");
                Graph::parse(&grafted.to_bytes()).expect("our own bytes");
            }
        }
        let _ = graph.cut_at("no such tensor");
    }
    let held = (PEAK.get() - before) as usize;
    let most = AT_LEAST.max(bytes.len() * PER_BYTE);
    assert!(held <= most, "{} bytes of input took {held}", bytes.len());
    simplify(bytes);
}

/// What simplifying may compute whatever the graph's size: 2^18 values of eight
/// bytes, some copies of them, and the places of one tensor's values in another's.
const AT_LEAST_SIMPLIFYING: usize = 32 << 20;

fn simplify(bytes: &[u8]) {
    let before = HELD.get();
    PEAK.set(before);
    if let Ok(graph) = Graph::parse(bytes) {
        let (inputs, outputs) = (graph.inputs(), graph.outputs());
        let simplified = graph.simplified();
        let again = Graph::parse(&simplified.to_bytes()).expect("our own bytes");
        assert_eq!((again.inputs(), again.outputs()), (inputs, outputs));
    }
    let held = (PEAK.get() - before) as usize;
    let most = AT_LEAST_SIMPLIFYING + bytes.len() * PER_BYTE;
    assert!(held <= most, "{} bytes of input took {held} to simplify", bytes.len());
}

#[test]
fn whole_files_stay_within_the_bound() {
    for name in fixture::ALL {
        exercise(&fixture::bytes(name));
    }
}

#[test]
fn a_file_cut_short_anywhere_is_an_error_or_a_graph() {
    for name in ["tiny", "channels_last", "opset_6", "light_bvlc_alexnet"] {
        let bytes = fixture::bytes(name);
        for end in 0..bytes.len() {
            exercise(&bytes[..end]);
        }
    }
}

/// The most memory that two bytes can ask for.
#[test]
fn many_empty_messages_stay_within_the_bound() {
    // Field, and the number of empty messages in one graph: nodes, tensors,
    // sparse tensors, inputs.
    for field in [1u8, 5, 15, 11] {
        let inner: Vec<u8> = [field << 3 | 2, 0].repeat(8_000);
        let mut bytes = vec![7 << 3 | 2];
        let length = inner.len();
        bytes.extend([length as u8 | 0x80, (length >> 7) as u8 | 0x80, (length >> 14) as u8]);
        bytes.extend(inner);
        exercise(&bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(250))]

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        exercise(&bytes);
    }

    #[test]
    fn flipped_bits(
        name in prop::sample::select(vec!["tiny", "channels_last", "opset_6", "operators_17", "light_bvlc_alexnet"]),
        flips in proptest::collection::vec((any::<prop::sample::Index>(), 0u8..8), 1..12),
    ) {
        let mut bytes = fixture::bytes(name);
        for (at, bit) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        exercise(&bytes);
    }

    /// Numbers of any size in place of dimensions, axes, pads and strides.
    #[test]
    fn replaced_bytes(
        name in prop::sample::select(vec!["tiny", "operators_9", "operators_11", "operators_20"]),
        at in any::<prop::sample::Index>(),
        new in proptest::collection::vec(prop::sample::select(vec![0u8, 1, 0x7f, 0x80, 0xff]), 1..10),
    ) {
        let mut bytes = fixture::bytes(name);
        let at = at.index(bytes.len());
        let end = (at + new.len()).min(bytes.len());
        bytes.splice(at..end, new);
        exercise(&bytes);
    }
}
