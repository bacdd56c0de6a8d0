use crate::{Architecture, Design, Dim, Graph, GraphError};

fn design(side: u64) -> Graph {
    let mut state = 1_u32;
    let mut normal = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state as f32 / u32::MAX as f32 - 0.5
    };
    let (architecture, sides) = (Architecture::ResNet, [side as usize; 2]);
    Design { architecture, channels: 3, sides, width: 0.5, classes: 4 }.network(&mut normal)
}

fn sides(height: u64, width: u64) -> [Dim; 4] {
    [Dim::Unknown, Dim::Unknown, Dim::Fixed(height), Dim::Fixed(width)]
}

fn model(path: &str) -> Graph {
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    Graph::parse(&std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}"))).unwrap()
}

#[test]
fn a_network_is_that_which_is_made_for_the_other_size() {
    let resized = design(32).resized("images", &sides(48, 48)).unwrap();
    assert!(resized.keeps_examples_apart());
    assert_eq!(resized, design(48));
    let back = resized.resized("images", &sides(32, 32)).unwrap();
    assert_eq!(back, design(32));
}

#[test]
fn the_real_one_has_as_many_features_of_larger_photos() {
    let graph = model("../../models/mobilenet_v2/mobilenet_v2.onnx");
    let resized = graph.resized("images", &sides(300, 260)).unwrap();
    let features = resized.clone().cut_at("/Flatten_output_0").unwrap();
    assert!(features.keeps_examples_apart());
    assert_eq!(features.outputs()[0].shape.as_ref().unwrap()[1], Dim::Fixed(1280));
    let map = "/features/features.18/features.18.2/Clip_output_0";
    let map = resized.cut_at(map).unwrap().outputs()[0].shape.clone().unwrap();
    assert_eq!(map[1..], [Dim::Fixed(1280), Dim::Fixed(10), Dim::Fixed(9)]);
}

/// Its dense layers take a map of 7×7 and no other.
#[test]
fn a_layer_that_takes_one_size_makes_what_follows_unknown() {
    let graph = model("tests/fixtures/light/light_vgg19.onnx").with_dynamic_batch();
    let input = graph.inputs()[0].name.clone();
    let output = |side| {
        let resized = graph.clone().resized(&input, &sides(side, side)).unwrap();
        resized.outputs()[0].shape.clone()
    };
    assert_eq!(output(224).unwrap()[1..], [Dim::Fixed(1000)]);
    let fits = |shape: Option<Vec<Dim>>| {
        shape.is_some_and(|shape| shape.iter().skip(1).all(|dim| matches!(dim, Dim::Fixed(_))))
    };
    assert!(!fits(output(300)));
}

#[test]
fn another_tensor_or_number_of_axes_is_refused() {
    let refused = |input, shape: &[Dim]| design(32).resized(input, shape).unwrap_err();
    assert!(matches!(refused("pictures", &sides(48, 48)), GraphError::UnknownTensor { .. }));
    assert!(matches!(refused("images", &[Dim::Fixed(1)]), GraphError::InputShape { .. }));
}
