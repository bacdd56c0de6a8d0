use serde_json::Value;

use super::*;

/// Of 32-bit floats against 64-bit ones, over 25 steps that begin at 0.
const SHARE: f64 = 2e-4;

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("numbers").iter().map(|v| v.as_f64().expect("a number")).collect()
}

fn singles(value: &Value) -> Vec<f32> {
    numbers(value).into_iter().map(|v| v as f32).collect()
}

/// Expected: numpy, see tests/fixtures/next_word.
#[test]
fn the_network_learns_as_it_does_in_numpy() {
    let engine = crate::engine::of_tests();
    let stored: Value =
        serde_json::from_str(include_str!("../../../tests/fixtures/next_word/steps.json")).unwrap();
    for (embedding, name) in [(Embedding::Tuned, "tuned"), (Embedding::Frozen, "frozen")] {
        check(engine, &stored, embedding, &stored[name]);
    }
}

fn check(engine: &Engine, stored: &Value, embedding: Embedding, expected: &Value) {
    let number = |name: &str| stored[name].as_f64().unwrap();
    let weights = &stored["weights"];
    let (vectors, bias) = (singles(&weights["words.weight"]), singles(&weights["words.bias"]));
    let design = NextWord {
        input: INPUT,
        inputs: number("inputs") as usize,
        dimensions: number("dimensions") as usize,
        hidden: number("hidden") as usize,
        embedding: &vectors,
        bias: &bias,
    };
    let hidden = singles(&weights["hidden.weight"]);
    let graph =
        design.network(&mut || 0.0).with_weights([("hidden.weight", hidden.as_slice())]).unwrap();
    let batch = number("batch") as usize;
    let decay = number("weight_decay") as f32;
    let step = training_step(&graph, batch, embedding, decay).unwrap();
    let mut session = Step::open(engine, &Provider::Cpu, 1, &step, None).unwrap();
    let near = |found: f64, expected: f64, what: &str| {
        let close = (found - expected).abs() <= SHARE * expected.abs().max(1.0);
        assert!(close, "{embedding:?}: {what} is {found}, not {expected}");
    };
    let classes = bias.len();
    let (losses, norms) = (numbers(&expected["losses"]), numbers(&expected["norms"]));
    let batches = stored["batches"].as_array().unwrap();
    for (taken, one) in batches.iter().enumerate() {
        let mut targets = vec![0.0; batch * classes];
        for (row, label) in numbers(&one["labels"]).into_iter().enumerate() {
            targets[row * classes + label as usize] = 1.0;
        }
        let batch = Batch {
            examples: singles(&one["x"]),
            targets,
            row_weights: vec![1.0 / batch as f32; batch],
            schedule: schedule(number("rate"), taken),
        };
        let moved = session.run(&batch).unwrap();
        near(moved.loss.into(), losses[taken], "the loss");
        near(moved.gradient_norm.into(), norms[taken], "the gradients' length");
    }
    assert_eq!(losses.len(), 25);
    let state = session.state().unwrap();
    let (graph, table) = with_state(&design, graph, &step, &state).unwrap();
    assert_eq!(table, None);
    let mut network = Network::open(engine, &graph.to_bytes(), &Provider::Cpu, 1).unwrap();
    let expected = numbers(&expected["logits"]);
    network
        .run(&[batch, design.inputs], &singles(&batches[0]["x"]), LOGITS, |logits| {
            assert_eq!(logits.len(), expected.len());
            let pairs = logits.iter().zip(&expected);
            pairs.for_each(|(&found, &expected)| near(found.into(), expected, "a logit"));
        })
        .unwrap();
}

/// Expected: PyTorch, see tests/fixtures/next_word.
#[test]
fn one_table_learns_on_both_sides_as_it_does_in_pytorch() {
    let stored: Value =
        serde_json::from_str(include_str!("../../../tests/fixtures/next_word/tied.json")).unwrap();
    let number = |name: &str| stored[name].as_f64().unwrap();
    let (dimensions, context) = (number("dimensions") as usize, number("context") as usize);
    let weights = stored["weights"].as_object().unwrap();
    let weights: Vec<(&str, Vec<f32>)> =
        weights.iter().map(|(name, values)| (name.as_str(), singles(values))).collect();
    let weight = |name: &str| &weights.iter().find(|(weight, _)| *weight == name).unwrap().1;
    let table = weight(NextWord::TABLE);
    let bias = weight("words.bias");
    let design = NextWord {
        input: INPUT,
        inputs: context * dimensions,
        dimensions,
        hidden: number("hidden") as usize,
        embedding: &table[..bias.len() * dimensions],
        bias,
    };
    let others = weights.iter().filter(|(name, _)| *name != NextWord::TABLE);
    let others = others.map(|(name, values)| (*name, values.as_slice()));
    let graph = design.network(&mut || 0.0).with_weights(others).unwrap();
    let tied = design.tied(&graph, table);
    let batch = number("batch") as usize;
    let decay = number("weight_decay") as f32;
    let step = training_step(&tied, batch, Embedding::Tied, decay).unwrap();
    let engine = crate::engine::of_tests();
    let mut session = Step::open(engine, &Provider::Cpu, 1, &step, None).unwrap();
    let near = |found: f64, expected: f64, what: &str| {
        let close = (found - expected).abs() <= 1e-5 * expected.abs().max(1.0);
        assert!(close, "{what} is {found}, not {expected}");
    };
    let of_role = |session: &Step, role: StateRole| -> Vec<(String, Vec<f32>)> {
        let state = step.state.iter().zip(session.state().unwrap());
        let state = state.filter(|(one, _)| one.role == role);
        state.map(|(one, values)| (one.weight.clone(), values)).collect()
    };
    let (losses, norms) = (numbers(&stored["losses"]), numbers(&stored["norms"]));
    for (taken, one) in stored["batches"].as_array().unwrap().iter().enumerate() {
        let mut targets = vec![0.0; batch * bias.len()];
        for (row, label) in numbers(&one["labels"]).into_iter().enumerate() {
            targets[row * bias.len() + label as usize] = 1.0;
        }
        let moved = session
            .run(&Batch {
                examples: singles(&one["numbers"]),
                targets,
                row_weights: vec![1.0 / batch as f32; batch],
                schedule: schedule(number("rate"), taken),
            })
            .unwrap();
        near(moved.loss.into(), losses[taken], "the loss");
        near(moved.gradient_norm.into(), norms[taken], "the gradients' length");
        if taken == 0 {
            // Of the first step the mean of gradients has this share, once clipped.
            let share = (1.0 - f64::from(BETA1)) * number("clip_norm") / norms[0];
            let means = of_role(&session, StateRole::FirstMoment);
            assert_eq!(means.len(), weights.len());
            for (name, means) in means {
                for (mean, gradient) in means.iter().zip(numbers(&stored["gradients"][&name])) {
                    near(f64::from(*mean) / share, gradient, &format!("a gradient of {name}"));
                }
            }
        }
    }
    assert_eq!(losses.len(), 25);
    for (name, values) in of_role(&session, StateRole::Weight) {
        let expected = numbers(&stored["after"][&name]);
        assert_eq!(values.len(), expected.len());
        values
            .iter()
            .zip(expected)
            .for_each(|(&value, expected)| near(value.into(), expected, &name));
    }
    let state = session.state().unwrap();
    let (_, table) = with_state(&design, graph, &step, &state).unwrap();
    assert_eq!(table.unwrap().len(), number("rows") as usize * dimensions);
}
