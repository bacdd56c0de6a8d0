//! One test a family of operators.

use super::*;

/// The step with plain gradient descent at rate 1: a weight moves by its gradient.
fn plain(graph: &Graph, loss: Loss, statistics: Statistics) -> TrainingStep {
    let batch = match graph.inputs()[0].shape.as_deref() {
        Some([Dim::Fixed(batch), ..]) => *batch as usize,
        _ => 2,
    };
    let trainable =
        graph.weights().into_iter().map(|w| Trainable { name: w.name, rate: 1.0 }).collect();
    let optimiser = Optimiser::Sgd { momentum: 0.0, weight_decay: 0.0 };
    let options = StepOptions { batch, loss, optimiser, clip_norm: None, trainable, statistics };
    graph.training_step(&options).unwrap()
}

/// Everything that the step takes, weights as they are.
pub(super) fn inputs(step: &TrainingStep, graph: &Graph, seed: u64) -> HashMap<String, Value> {
    let real = |shape: &[usize], values| Value::real_of(ElementType::F64, shape.to_vec(), values);
    let count = |shape: &[usize]| shape.iter().product::<usize>();
    let mut inputs = HashMap::new();
    let examples = &step.examples;
    let element = graph.inputs()[0].element;
    let value = if element == Some(ElementType::I64) {
        let ids = numbers(seed, count(&examples.shape));
        let ids = ids.iter().map(|v| (v.abs() * 1e6) as i64 % 5).collect();
        Value::whole_of(ElementType::I64, examples.shape.clone(), ids)
    } else {
        real(&examples.shape, numbers(seed, count(&examples.shape)))
    };
    inputs.insert(examples.name.clone(), value);
    // Rows of probabilities, and of other sums: weights of classes are in them.
    let targets = numbers(seed + 1, count(&step.targets.shape)).iter().map(|v| v.abs()).collect();
    inputs.insert(step.targets.name.clone(), real(&step.targets.shape, targets));
    let weights: Vec<f64> = (0..step.row_weights.shape[0]).map(|i| 0.5 / (i + 1) as f64).collect();
    inputs.insert(step.row_weights.name.clone(), real(&step.row_weights.shape, weights));
    inputs.insert(step.schedule.name.clone(), real(&[3], vec![1.0; 3]));
    for state in &step.state {
        let own = graph.graph().initializer.iter().find(|t| t.name() == state.input);
        let value = match own {
            Some(tensor) => Value::of(tensor, usize::MAX).unwrap(),
            None => real(&state.shape, vec![0.0; count(&state.shape)]),
        };
        inputs.insert(state.input.clone(), value);
    }
    inputs
}

pub(super) fn one(value: &Value) -> f64 {
    value.reals().unwrap()[0]
}

/// Along random directions the slope of the loss is what the gradients say, and
/// the forward part is the graph that was given.
#[track_caller]
fn check(graph: &Graph, seed: u64) {
    check_with(graph, seed, Loss::CrossEntropy, Statistics::Frozen);
}

#[track_caller]
fn check_with(graph: &Graph, seed: u64, loss: Loss, statistics: Statistics) {
    let step = plain(graph, loss, statistics);
    let inputs = inputs(&step, graph, seed + 10);
    let made = run_graph(&step.graph, &inputs).unwrap();

    if statistics == Statistics::Frozen {
        let given = HashMap::from([("x".to_owned(), inputs[&step.examples.name].clone())]);
        let straight = run_graph(graph, &given).unwrap();
        let (a, b) = (made[&step.logits].reals().unwrap(), straight["logits"].reals().unwrap());
        for (a, b) in a.iter().zip(b) {
            // Attributes are 32-bit floats: a sixth is not quite one.
            assert!((a - b).abs() <= 1e-7 * (1.0 + b.abs()), "forward: {a} for {b}");
        }
    }

    let weights: Vec<_> = step.state.iter().filter(|s| s.role == StateRole::Weight).collect();
    assert_eq!(weights.len(), graph.weights().len(), "every weight has a gradient");
    // All of them, then each by itself: errors must not hide behind large ones.
    let mut chosen: Vec<Vec<usize>> = (0..weights.len()).map(|i| vec![i]).collect();
    chosen.push((0..weights.len()).collect());
    for chosen in chosen {
        let mut slope = 0.0;
        let mut ends = [inputs.clone(), inputs.clone()];
        for &i in &chosen {
            let state = weights[i];
            let old = inputs[&state.input].reals().unwrap();
            let new = made[&state.output].reals().unwrap();
            let direction = numbers(seed + 77 + i as u64, old.len());
            slope += (0..old.len()).map(|k| (old[k] - new[k]) * direction[k]).sum::<f64>();
            for (end, sign) in ends.iter_mut().zip([1.0, -1.0]) {
                let moved: Vec<f64> =
                    old.iter().zip(&direction).map(|(w, d)| w + sign * STEP * d).collect();
                let value = Value::real_of(ElementType::F64, state.shape.clone(), moved);
                end.insert(state.input.clone(), value);
            }
        }
        let [high, low] = ends.map(|end| one(&run_graph(&step.graph, &end).unwrap()[&step.loss]));
        let measured = (high - low) / (2.0 * STEP);
        assert!(
            (slope - measured).abs() <= 1e-6 * (1.0 + measured.abs()),
            "weights {chosen:?}: the gradient says {slope}, differences {measured}"
        );
    }
}

const STEP: f64 = 1e-6;

fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, cases: 24, ..ProptestConfig::default() }
}

fn text(name: &str, value: &str) -> AttributeProto {
    AttributeProto {
        name: Some(name.to_owned()),
        r#type: Some(attribute_proto::AttributeType::String as i32),
        s: Some(value.as_bytes().to_vec().into()),
        ..AttributeProto::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn convolutions(
        kernel in prop::sample::select(vec![[1usize, 1], [3, 3], [1, 3], [2, 2], [5, 3]]),
        strides in prop::sample::select(vec![[1i64, 1], [2, 2], [2, 1], [3, 2]]),
        pads in prop::collection::vec(0i64..3, 4),
        dilations in prop::sample::select(vec![[1i64, 1], [2, 1], [2, 2]]),
        groups in prop::sample::select(vec![(1usize, 3usize, 4usize), (1, 1, 2), (2, 4, 6), (3, 3, 3), (4, 4, 8), (1, 16, 16)]),
        sides in (9usize..12, 9usize..12), batch in 1usize..3, bias: bool, seed in 0u64..1 << 40,
    ) {
        let (group, channels, outputs) = groups;
        let mut net = Net::new(&[batch, channels, sides.0, sides.1], seed);
        let w = net.weight(&[outputs, channels / group, kernel[0], kernel[1]]);
        let b = net.weight(&[outputs.max(2)]);
        let rest: Vec<&str> = if bias && outputs > 1 { vec![&w, &b] } else { vec![&w] };
        if rest.len() == 1 { net.drop_last_weight(); }
        net.node("Conv", &rest, vec![
            ints("strides", &strides), ints("pads", &pads), ints("dilations", &dilations),
            int("group", group as i64),
        ]);
        check(&net.graph(), seed);
    }

    #[test]
    fn convolutions_that_pad_by_rule(
        mode in prop::sample::select(vec!["SAME_UPPER", "SAME_LOWER", "VALID"]),
        stride in 1i64..3, side in 7usize..10, seed in 0u64..1 << 40,
    ) {
        let mut net = Net::new(&[2, 2, side, side], seed);
        let w = net.weight(&[3, 2, 3, 3]);
        net.node("Conv", &[&w], vec![ints("strides", &[stride, stride]), text("auto_pad", mode)]);
        check(&net.graph(), seed);
    }

    #[test]
    fn transposed_convolutions(
        stride in 1i64..4, pad in 0i64..2, dilation in 1i64..3,
        groups in prop::sample::select(vec![(1usize, 2usize, 3usize), (2, 4, 2), (3, 3, 1)]),
        seed in 0u64..1 << 40,
    ) {
        let (group, channels, per_group) = groups;
        let mut net = Net::new(&[2, channels, 4, 5], seed);
        let w = net.weight(&[channels, per_group, 3, 3]);
        let over = (stride - 1).min(1);
        net.node("ConvTranspose", &[&w], vec![
            ints("strides", &[stride, stride]), ints("pads", &[pad; 4]),
            ints("dilations", &[dilation, dilation]), ints("output_padding", &[over, 0]),
            int("group", group as i64),
        ]);
        check(&net.graph(), seed);
    }

    #[test]
    fn pools(
        op in prop::sample::select(vec!["MaxPool", "AveragePool"]),
        kernel in prop::sample::select(vec![[2i64, 2], [3, 3], [3, 2]]),
        strides in prop::sample::select(vec![[1i64, 1], [2, 2], [3, 2]]),
        pad in 0i64..2, up: bool, counts: bool, sides in (6usize..10, 6usize..10),
        seed in 0u64..1 << 40,
    ) {
        let mut net = Net::new(&[2, 3, sides.0, sides.1], seed);
        let mut attributes = vec![
            ints("kernel_shape", &kernel), ints("strides", &strides), ints("pads", &[pad; 4]),
            int("ceil_mode", i64::from(up)),
        ];
        if op == "AveragePool" {
            attributes.push(int("count_include_pad", i64::from(counts)));
        }
        net.node(op, &[], attributes);
        check(&net.graph(), seed);
    }

    #[test]
    fn dense_layers(
        turn_a: bool, turn_b: bool, alpha in 0.5f64..2.0, beta in 0.5f64..2.0,
        bias in 0usize..4, seed in 0u64..1 << 40,
    ) {
        let mut net = Net::new(&[4, 4], seed);
        let w = net.weight(&if turn_b { [5, 4] } else { [4, 5] });
        let b = match bias {
            0 => None,
            1 => Some(net.weight(&[5])),
            2 => Some(net.weight(&[4, 1])),
            _ => Some(net.weight(&[4, 5])),
        };
        let rest: Vec<&str> = [Some(&w), b.as_ref()].into_iter().flatten().map(String::as_str).collect();
        net.node("Gemm", &rest, vec![
            int("transA", i64::from(turn_a)), int("transB", i64::from(turn_b)),
            node_float("alpha", alpha), node_float("beta", beta),
        ]);
        check(&net.graph(), seed);
    }

    #[test]
    fn products(shapes in prop::sample::select(vec![
        (vec![2usize, 3, 4], vec![4usize, 5]), (vec![2, 3, 4], vec![2, 4, 5]),
        (vec![2, 3, 4], vec![1, 4, 2]), (vec![2, 2, 3, 4], vec![2, 4, 5]),
        (vec![2, 3, 4], vec![4]), (vec![2, 4], vec![3, 4, 2]),
    ]), seed in 0u64..1 << 40) {
        let mut net = Net::new(&shapes.0, seed);
        let w = net.weight(&shapes.1);
        net.node("MatMul", &[&w], Vec::new());
        if shapes.0 == [2, 4] {
            net.node("Transpose", &[], vec![ints("perm", &[1, 0, 2])]);
        }
        check(&net.graph(), seed);
    }

    #[test]
    fn arithmetic_stretches(
        op in prop::sample::select(vec!["Add", "Sub", "Mul", "Div", "Max", "Min", "Sum", "Mean"]),
        other in prop::sample::select(vec![
            vec![2usize, 3, 4, 5], vec![3, 1, 1], vec![5], vec![1, 3, 4, 1], vec![2, 1, 1, 1],
        ]),
        first: bool, seed in 0u64..1 << 40,
    ) {
        let mut net = Net::new(&[2, 3, 4, 5], seed);
        let w = net.weight(&other);
        if first {
            net.node(op, &[&w], Vec::new());
        } else {
            let at = net.at();
            let made = net.node_of(op, &[&w, &at], 1, Vec::new());
            net.go_on_from(&made[0]);
        }
        check(&net.graph(), seed);
    }

    #[test]
    fn activations(
        op in prop::sample::select(vec![
            "Relu", "LeakyRelu", "Elu", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh", "Softplus",
            "Neg", "Abs", "Exp", "Erf", "Reciprocal", "Identity", "Dropout",
        ]),
        alpha in 0.05f64..0.6, seed in 0u64..1 << 40,
    ) {
        let mut net = Net::new(&[2, 3, 2, 2], seed);
        let attributes = match op {
            "LeakyRelu" | "Elu" | "HardSigmoid" => vec![node_float("alpha", alpha)],
            _ => Vec::new(),
        };
        net.node(op, &[], attributes);
        check(&net.graph(), seed);
    }

    #[test]
    fn roots_logarithms_and_powers(
        op in prop::sample::select(vec!["Sqrt", "Log", "Pow"]), power in 1.2f64..3.0,
        seed in 0u64..1 << 40,
    ) {
        let mut net = Net::new(&[2, 6], seed);
        net.node("Abs", &[], Vec::new());
        let shift = net.real(0.2);
        net.node("Add", &[&shift], Vec::new());
        let exponent = net.real(power);
        let rest: &[&str] = if op == "Pow" { &[&exponent] } else { &[] };
        net.node(op, rest, Vec::new());
        check(&net.graph(), seed);
    }

    #[test]
    fn clips(low in -0.9f64..-0.1, high in 0.1f64..0.9, which in 0usize..4, seed in 0u64..1 << 40) {
        let mut net = Net::new(&[2, 12], seed);
        let (low, high) = (net.real(low), net.real(high));
        let rest: &[&str] = match which {
            0 => &[&low, &high], 1 => &[&low], 2 => &["", &high], _ => &[],
        };
        net.node("Clip", rest, Vec::new());
        check(&net.graph(), seed);
    }

    #[test]
    fn slopes_of_prelu(shape in prop::sample::select(vec![vec![3usize, 1, 1], vec![3, 2, 4], vec![4]]), seed in 0u64..1 << 40) {
        let mut net = Net::new(&[2, 3, 2, 4], seed);
        let slope = net.weight(&shape);
        net.node("PRelu", &[&slope], Vec::new());
        check(&net.graph(), seed);
    }

    #[test]
    fn softmaxes(
        op in prop::sample::select(vec!["Softmax", "LogSoftmax"]), axis in -3i64..3,
        opset in prop::sample::select(vec![11i64, 13, 17]), seed in 0u64..1 << 40,
    ) {
        let axis = if opset < 13 { axis.rem_euclid(3) } else { axis };
        let mut net = Net::new(&[2, 3, 4], seed).opset(opset);
        net.node(op, &[], vec![int("axis", axis)]);
        check(&net.graph(), seed);
    }

    #[test]
    fn normalisations(
        which in 0usize..4, size in 1i64..6, batch: bool, seed in 0u64..1 << 40,
    ) {
        let mut net = Net::new(&[3, 4, 3, 2], seed);
        let mut statistics = Statistics::Frozen;
        match which {
            0 => net.node("LRN", &[], vec![
                int("size", size), node_float("alpha", 0.7), node_float("beta", 0.6), node_float("bias", 1.3),
            ]),
            1 => {
                let (scale, bias) = (net.weight(&[2]), net.weight(&[2]));
                net.node("LayerNormalization", &[&scale, &bias], Vec::new());
            }
            _ => {
                let (scale, bias) = (net.weight(&[4]), net.weight(&[4]));
                let (mean, variance) = (net.positive(&[4]), net.positive(&[4]));
                net.node("BatchNormalization", &[&scale, &bias, &mean, &variance], vec![node_float("epsilon", 0.01)]);
                if batch { statistics = Statistics::Batch { momentum: 0.1 }; }
            }
        }
        check_with(&net.graph(), seed, Loss::CrossEntropy, statistics);
    }

    #[test]
    fn layouts(which in 0usize..13, seed in 0u64..1 << 40) {
        let mut net = Net::new(&[2, 4, 5, 6], seed);
        match which {
            0 => net.node("Transpose", &[], vec![ints("perm", &[0, 2, 3, 1])]),
            1 => net.node("Transpose", &[], vec![ints("perm", &[0, 3, 2, 1])]),
            2 => { let to = net.whole(&[0, -1, 3]); net.node("Reshape", &[&to], Vec::new()); }
            3 => {
                let (starts, ends) = (net.whole(&[1, -5]), net.whole(&[4, 100]));
                let (axes, steps) = (net.whole(&[1, 3]), net.whole(&[2, 3]));
                net.node("Slice", &[&starts, &ends, &axes, &steps], Vec::new());
            }
            4 => { let pads = net.whole(&[0, 1, 0, 2, 0, 0, 3, 1]); net.node("Pad", &[&pads], Vec::new()); }
            5 => {
                let pads = net.whole(&[0, 1, 0, 2, 0, 0, 3, 1]);
                let value = net.real(0.7);
                net.node("Pad", &[&pads, &value], Vec::new());
            }
            6 => {
                let at = net.at();
                let lengths = net.whole(&[1, 3]);
                let parts = net.node_of("Split", &[&at, &lengths], 2, vec![int("axis", 1)]);
                net.go_on_from(&parts[1]);
            }
            7 => {
                let at = net.at();
                let lengths = net.whole(&[2, 3]);
                let parts = net.node_of("Split", &[&at, &lengths], 2, vec![int("axis", 2)]);
                let active = net.node_of("Tanh", &[&parts[0]], 1, Vec::new());
                net.go_on_from(&parts[1]);
                net.node("Concat", &[&active[0], &at], vec![int("axis", 2)]);
            }
            8 => {
                let axes = net.whole(&[1, 3]);
                net.node("Unsqueeze", &[&axes], Vec::new());
                let squeezed = net.whole(&[3]);
                net.node("Squeeze", &[&squeezed], Vec::new());
            }
            9 => { net.node("ReduceMean", &[], vec![ints("axes", &[2, -1]), int("keepdims", 0)]); }
            10 => { let axes = net.whole(&[1]); net.node("ReduceSum", &[&axes], Vec::new()); }
            11 => {
                net.node("ReduceMean", &[], vec![ints("axes", &[3])]);
                let to = net.whole(&[2, 4, 5, 3]);
                net.node("Expand", &[&to], Vec::new());
            }
            _ => net.node("GlobalAveragePool", &[], Vec::new()),
        }
        check(&net.graph(), seed);
    }

    #[test]
    fn gathers(axis in 0i64..4, at in prop::collection::vec(0i64..4, 1..6), seed in 0u64..1 << 40) {
        // Some entries are read several times, some never.
        let mut net = Net::new(&[4, 4, 4, 4], seed);
        let at = net.whole(&at);
        net.node("Gather", &[&at], vec![int("axis", axis)]);
        let to = net.whole(&[4, -1]);
        net.node("Reshape", &[&to], Vec::new());
        check(&net.graph(), seed);
    }

    #[test]
    fn squared_errors(seed in 0u64..1 << 40) {
        let net = Net::new(&[4, 6], seed);
        check_with(&net.graph(), seed, Loss::MeanSquaredError, Statistics::Frozen);
    }

    #[test]
    fn a_tensor_that_is_read_several_times(seed in 0u64..1 << 40) {
        let mut net = Net::new(&[2, 3, 4, 4], seed);
        let w = net.weight(&[3, 3, 3, 3]);
        let before = net.at();
        net.node("Conv", &[&w], vec![ints("pads", &[1; 4])]);
        net.node("Relu", &[], Vec::new());
        // The same weights once more, and a way round them.
        net.node("Conv", &[&w], vec![ints("pads", &[1; 4])]);
        net.node("Add", &[&before], Vec::new());
        let after = net.at();
        net.node("Mul", &[&after], Vec::new());
        check(&net.graph(), seed);
    }
}

#[test]
fn embeddings_are_added_up() {
    let graph = build::embedding(7);
    check(&graph, 3);
}

/// A weight that is cut is one no less, and not folded into a constant.
#[test]
fn a_weight_is_read_in_two_ways() {
    let mut net = Net::new(&[2, 3], 5);
    let table = net.weight(&[5, 3]);
    let [zero, two] = [net.whole(&[0]), net.whole(&[2])];
    let first = net.node_of("Slice", &[&table, &zero, &two, &zero], 1, Vec::new());
    net.node("Gemm", &[&first[0]], vec![int("transB", 1)]);
    net.node("MatMul", &[&first[0]], Vec::new());
    net.node("Gemm", &[&table], vec![int("transB", 1)]);
    check(&net.graph(), 4);
}

#[test]
fn running_statistics_follow_the_batch() {
    let mut net = Net::new(&[3, 2, 2, 2], 5);
    let (scale, bias) = (net.weight(&[2]), net.weight(&[2]));
    let (mean, variance) = (net.positive(&[2]), net.positive(&[2]));
    net.node("BatchNormalization", &[&scale, &bias, &mean, &variance], Vec::new());
    let graph = net.graph();
    let step = plain(&graph, Loss::CrossEntropy, Statistics::Batch { momentum: 0.25 });
    let inputs = inputs(&step, &graph, 9);
    let made = run_graph(&step.graph, &inputs).unwrap();
    let x = inputs["x"].reals().unwrap();
    let gain = inputs["w0"].reals().unwrap();
    for channel in 0..2 {
        let values: Vec<f64> = (0..3)
            .flat_map(|n| (0..4).map(move |p| (n, p)))
            .map(|(n, p)| x[n * 8 + channel * 4 + p] * gain[channel * 4 + p])
            .collect();
        let mean = values.iter().sum::<f64>() / 12.0;
        let spread = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 11.0;
        let statistics: Vec<_> =
            step.state.iter().filter(|s| s.role == StateRole::Statistic).collect();
        assert_eq!(statistics.len(), 2);
        for (state, new) in statistics.iter().zip([mean, spread]) {
            let old = inputs[&state.input].reals().unwrap()[channel];
            let moved = made[&state.output].reals().unwrap()[channel];
            assert!((moved - (0.75 * old + 0.25 * new)).abs() < 1e-12);
        }
    }
}

#[test]
fn graphs_in_32_bits_give_the_same_step() {
    let mut net = Net::new(&[2, 3, 6, 6], 11);
    let w = net.weight(&[4, 3, 3, 3]);
    net.node("Conv", &[&w], Vec::new());
    net.node("Relu", &[], Vec::new());
    let graph = net.graph();
    let step = plain(&graph, Loss::CrossEntropy, Statistics::Frozen);
    assert_eq!(in_f64(&step.graph).to_bytes(), step.graph.to_bytes());
    assert!(step.peak_bytes > 0);
    let again = plain(&graph, Loss::CrossEntropy, Statistics::Frozen);
    assert_eq!(again.graph.to_bytes(), step.graph.to_bytes(), "the same graph, the same bytes");
}
