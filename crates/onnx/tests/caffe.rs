//! What is wrong with a network of Caffe is said with its line and its layer; and
//! any bytes give a network or an error.

use graft_onnx::caffe::{self, CaffeError, mean};
use proptest::prelude::*;

/// Six layers in one-line form, the input on line 1.
const NET: &str = r#"name: "net" input: "data" input_dim: 1 input_dim: 2 input_dim: 6 input_dim: 5
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 3 kernel_size: 3 } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool"
  pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "drop" type: "Dropout" bottom: "pool" top: "pool" }
layer { name: "fc" type: "InnerProduct" bottom: "pool" top: "fc"
  inner_product_param { num_output: 4 } }
layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }
"#;

/// `conv` 3×2×3×3 and 3, `fc` 4×12 and 4.
fn weights() -> Vec<u8> {
    [layer("conv", &[&[3, 2, 3, 3], &[3]]), layer("fc", &[&[4, 12], &[4]])].concat()
}

fn layer(name: &str, shapes: &[&[u8]]) -> Vec<u8> {
    let mut body = field(1, name.as_bytes());
    for shape in shapes {
        let count: usize = shape.iter().map(|&n| usize::from(n)).product();
        let values: Vec<u8> = (0..count).flat_map(|i| (i as f32 / 64.0).to_le_bytes()).collect();
        body.extend(field(7, &[field(7, &field(1, shape)), field(5, &values)].concat()));
    }
    field(100, &body)
}

fn field(number: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for mut number in [usize::from(number) << 3 | 2, payload.len()] {
        while number > 0x7f {
            bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        bytes.push(number as u8);
    }
    [bytes, payload.to_vec()].concat()
}

fn read(prototxt: &str, weights: &[u8]) -> Result<caffe::CaffeNet, CaffeError> {
    caffe::read(prototxt.as_bytes(), weights)
}

#[test]
fn blobs_are_tensors_and_the_batch_is_free() {
    let net = read(NET, &weights()).unwrap();
    assert_eq!(net.name, "net");
    assert_eq!(net.graph.batch(), graft_onnx::Batch::Dynamic);
    let shapes: Vec<String> = net
        .graph
        .tensors()
        .into_iter()
        .map(|t| {
            let dims: Vec<String> = t.shape.unwrap().iter().map(ToString::to_string).collect();
            format!("{} {}", t.name, dims.join("×"))
        })
        .collect();
    assert_eq!(
        shapes,
        [
            "conv.before_relu N×3×4×3",
            "conv N×3×4×3",
            "pool N×3×2×2",
            "fc.rows N×12",
            "fc N×4",
            "prob N×4"
        ]
    );
    let classifier = net.graph.classifier().unwrap();
    assert_eq!((classifier.feature_length, classifier.classes), (12, 4));
}

/// `change` in [`NET`], and all of the message.
#[track_caller]
fn refused(from: &str, to: &str, expected: &str) {
    assert!(NET.contains(from), "{from}");
    let error = read(&NET.replace(from, to), &weights()).map(|net| net.graph).unwrap_err();
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_malformed_prototxt_names_line_and_layer() {
    refused("stride: 2 } }", "stride: 2 }", "line 5: the brace that opens here is not closed");
    refused(
        r#"type: "ReLU""#,
        r#"type: "Halo""#,
        r#"line 4: layer "relu" (Halo) is of a type that cannot be read"#,
    );
    refused(
        r#""ReLU" bottom: "conv""#,
        r#""ReLU" bottom: "comv""#,
        r#"line 4: layer "relu" (ReLU) reads "comv", which no layer before it makes"#,
    );
    refused(
        r#"bottom: "pool" top: "fc""#,
        r#"bottom: "pool" top: "conv""#,
        r#"line 8: layer "fc" (InnerProduct) makes "conv", which is made before it, and does not read it"#,
    );
    refused(
        "num_output: 3 kernel_size: 3",
        "num_output: 3 kernel_size: 9",
        r#"line 2: layer "conv" (Convolution) has a window of 9x9 on an input of 6x5 with its padding"#,
    );
    refused(
        "num_output: 3 kernel_size: 3",
        "num_output: 3\n kernel_siez: 3",
        r#"line 2: layer "conv" (Convolution) must state kernel_size"#,
    );
    refused(
        "num_output: 3 kernel_size: 3",
        "num_output: 3 kernel_size: 3\n pda: 1",
        r#"line 4: layer "conv" (Convolution) has no field pda"#,
    );
    refused(
        "kernel_size: 2",
        "kernel_size: two",
        "line 6: kernel_size is two, must be a whole number from 0 to 2147483648",
    );
    refused(
        "num_output: 3 kernel_size: 3",
        "num_output: 3 kernel_size: 3 group: 2",
        r#"line 2: layer "conv" (Convolution) must have a group that divides its channels and its num_output"#,
    );
    refused(
        "pool: MAX",
        "pool: STOCHASTIC",
        r#"line 5: layer "pool" (Pooling) cannot be read with stochastic pooling"#,
    );
    refused(
        r#"name: "drop""#,
        r#"name: "pool""#,
        r#"line 7: layer "pool" (Dropout) has the name of a layer before it"#,
    );
    refused(
        r#"top: "prob""#,
        r#"top: "prob" softmax_param { axis: 0 }"#,
        r#"line 10: layer "prob" (Softmax) works across the batch; graft runs each photo on its own"#,
    );
    refused(
        r#"top: "prob""#,
        r#"top: "prob" softmax_param { axis: 5 }"#,
        r#"line 10: layer "prob" (Softmax) works along axis 5 of a blob that has 2"#,
    );
    refused(
        "input_dim: 6 input_dim: 5",
        "input_dim: 6",
        r#"line 1: the shape of input "data" is not stated in full; a deploy.prototxt states it (four input_dim, input_shape, or a layer of type Input)"#,
    );
}

#[test]
fn weights_of_another_network_name_the_layer_and_both_shapes() {
    let check = |weights: &[u8], expected: &str| {
        let error = read(NET, weights).map(|net| net.graph).unwrap_err();
        assert_eq!(error.to_string(), expected);
    };
    let conv = || layer("conv", &[&[3, 2, 3, 3], &[3]]);
    check(
        &[conv(), layer("fc", &[&[4, 48], &[4]])].concat(),
        r#"line 8: layer "fc" (InnerProduct) needs a weight of 4×12, the caffemodel has 4×48: one of the two files is of another network"#,
    );
    check(
        &conv(),
        r#"line 8: layer "fc" (InnerProduct) has no weights in the caffemodel; it is of another network"#,
    );
    check(
        &[layer("conv", &[&[3, 2, 3, 3]]), layer("fc", &[&[4, 12], &[4]])].concat(),
        r#"line 2: layer "conv" (Convolution) needs 2 blobs of weights, the caffemodel has 1"#,
    );
    let whole = weights();
    check(
        &whole[..whole.len() - 3],
        r#"the caffemodel is damaged in layer "fc": the file ends 3 bytes too early"#,
    );
    check(b"", "not a caffemodel: it has no layer with weights");
    check(b"\xff\xff", "not a caffemodel: its bytes are not protobuf's wire format");
    let few =
        [field(1, b"fc"), field(7, &[field(7, &field(1, &[4, 12])), field(5, &[0; 8])].concat())];
    check(
        &[conv(), field(100, &[few.concat(), field(7, &field(5, &[0; 16]))].concat())].concat(),
        r#"line 8: layer "fc" (InnerProduct) has a weight of 4×12 in the caffemodel, with 2 values: the file is damaged"#,
    );
}

/// What runs only in training is gone, and a loss is the softmax it begins with.
#[test]
fn a_network_for_training_is_read_for_its_answers() {
    let train_val = NET
        .replace(
            r#"input: "data" input_dim: 1 input_dim: 2 input_dim: 6 input_dim: 5"#,
            r#"layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TRAIN }
                 transform_param { crop_size: 99 } }
               layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TEST }
                 transform_param { crop_size: 5 force_color: true scale: 0.5
                   mean_value: 1 mean_value: 2 mean_value: 3 } }"#,
        )
        .replace(
            r#"layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }"#,
            r#"layer { name: "accuracy" type: "Accuracy" bottom: "fc" bottom: "label" top: "accuracy" }
               layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss" }"#,
        );
    let weights = [layer("conv", &[&[3, 3, 3, 3], &[3]]), layer("fc", &[&[4, 12], &[4]])].concat();
    let net = read(&train_val, &weights).unwrap();
    let transform = net.transform.unwrap();
    assert_eq!((transform.mean, transform.scale), (vec![1.0, 2.0, 3.0], 0.5));
    let names: Vec<String> = net.graph.inputs().into_iter().map(|i| i.name).collect();
    assert_eq!(names, ["data"]);
    let outputs: Vec<String> = net.graph.outputs().into_iter().map(|o| o.name).collect();
    assert_eq!(outputs, ["loss"]);
}

#[test]
fn the_mean_of_a_mean_image_is_that_of_its_centre() {
    // One channel of 4×4: 9 around the rim, 1 2 3 4 in the middle.
    let values = [9, 9, 9, 9, 9, 1, 2, 9, 9, 3, 4, 9, 9, 9, 9, 9u8];
    let raw: Vec<u8> = values.iter().flat_map(|&v| f32::from(v).to_le_bytes()).collect();
    let file = [vec![8, 1, 16, 1, 24, 4, 32, 4], field(5, &raw)].concat();
    let image = mean(&file).unwrap();
    assert_eq!((image.channels, image.height, image.width), (1, 4, 4));
    assert_eq!(image.of_centre(2, 2), [2.5]);
    assert_eq!(image.of_centre(40, 40), [(12.0 * 9.0 + 10.0) / 16.0]);
    assert!(matches!(mean(&file[..20]), Err(CaffeError::Mean { .. })));
    assert!(matches!(mean(&weights()), Err(CaffeError::Mean { .. })));
}

/// Words of the format, so that random files get somewhere.
fn words() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "layer",
        "layers",
        "input",
        "input_dim",
        "input_shape",
        "dim",
        "shape",
        "name",
        "type",
        "bottom",
        "top",
        "convolution_param",
        "pooling_param",
        "kernel_size",
        "pad",
        "stride",
        "num_output",
        "axis",
        "reshape_param",
        "slice_param",
        "slice_point",
        "permute_param",
        "order",
        "offset",
        "include",
        "phase",
        "TEST",
        "{",
        "{",
        "}",
        "}",
        ":",
        ":",
        ":",
        "[",
        "]",
        "<",
        ">",
        ";",
        ",",
        "-1",
        "0",
        "1",
        "2",
        "3",
        "2147483648",
        "1e9",
        "\"data\"",
        "\"x\"",
        "\"Input\"",
        "\"Reshape\"",
        "\"Convolution\"",
        "\"Pooling\"",
        "\"Slice\"",
        "\"Permute\"",
        "\"Crop\"",
        "\"Concat\"",
        "\"Flatten\"",
        "RELU",
        "#",
        "\n",
        "\"\\",
        "ü",
    ]);
    prop::collection::vec(word, 0..60).prop_map(|words| words.join(" "))
}

/// [`NET`] with a layer of any type and any settings behind its first.
fn layers() -> impl Strategy<Value = String> {
    let kinds = vec![
        ("Reshape", "reshape_param", "shape { dim: A dim: B dim: C } axis: D num_axes: E"),
        ("Permute", "permute_param", "order: A order: B order: C order: D"),
        ("Slice", "slice_param", "axis: A slice_point: B"),
        ("Flatten", "flatten_param", "axis: A end_axis: B"),
        ("Pooling", "pooling_param", "pool: AVE kernel_h: A kernel_w: B stride: C pad: D"),
        (
            "Convolution",
            "convolution_param",
            "num_output: A kernel_size: B stride: C dilation: D pad: E",
        ),
        (
            "Deconvolution",
            "convolution_param",
            "num_output: A kernel_size: B stride: C dilation: D pad: E",
        ),
        ("Scale", "scale_param", "axis: A num_axes: B"),
        ("InnerProduct", "inner_product_param", "num_output: A axis: B transpose: C"),
        ("Crop", "crop_param", "axis: A offset: B"),
        ("Concat", "concat_param", "axis: A"),
        ("LRN", "lrn_param", "local_size: A"),
    ];
    let number = prop_oneof![-4i64..8, Just(2_147_483_648), Just(-2_147_483_648)];
    (prop::sample::select(kinds), prop::collection::vec(number, 5)).prop_map(
        |((kind, name, settings), numbers)| {
            let mut settings = settings.to_owned();
            for (letter, number) in [" A", " B", " C", " D", " E"].iter().zip(numbers) {
                settings = settings.replace(letter, &format!(" {number}"));
            }
            let layer = format!(
                "layer {{ name: \"conv\" type: \"{kind}\" bottom: \"data\" top: \"new\" {name} {{ {settings} }} }}"
            );
            format!("{}\n{layer}", NET.lines().next().unwrap())
        },
    )
}

proptest! {
    #[test]
    fn any_text_is_a_network_or_an_error(text in prop_oneof![".{0,200}", words(), layers()]) {
        // A message can always be made.
        if let Err(error) = read(&text, &weights()) {
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn any_bytes_are_weights_or_an_error(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        at in 0usize..300,
        flip in any::<u8>(),
    ) {
        let _ = caffe::read(&bytes, &bytes);
        let _ = read(NET, &bytes);
        let _ = mean(&bytes);
        let mut damaged = weights();
        let at = at % damaged.len();
        damaged[at] ^= flip;
        let _ = read(NET, &damaged);
        let _ = read(NET, &damaged[..at]);
    }
}
