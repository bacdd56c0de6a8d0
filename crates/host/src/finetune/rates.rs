//! The learning rate of each weight.

use std::collections::{BTreeSet, HashSet};

use graft_onnx::{Graph, Trainable, WeightInfo};

use super::recipe::Rates;

/// The weights of the trained part with their rates as multiples of the
/// backbone's. Those that the backbone does not have are the head's. A
/// kernel and its bias are of one layer.
pub(super) fn trainable(part: &Graph, backbone: &Graph, rates: &Rates) -> Vec<Trainable> {
    let below: HashSet<String> = backbone.weights().into_iter().map(|w| w.name).collect();
    of_weights(&part.weights(), &below, rates)
}

fn of_weights(weights: &[WeightInfo], below: &HashSet<String>, rates: &Rates) -> Vec<Trainable> {
    let layers: BTreeSet<usize> =
        weights.iter().filter(|w| below.contains(&w.name)).map(|w| w.layer).collect();
    let layers: Vec<usize> = layers.into_iter().rev().collect();
    weights
        .iter()
        .map(|weight| {
            let rate = match layers.iter().position(|&layer| layer == weight.layer) {
                Some(from_top) if below.contains(&weight.name) => {
                    rates.layer_decay.powi(from_top.try_into().unwrap_or(i32::MAX))
                }
                _ => rates.head / rates.backbone,
            };
            Trainable { name: weight.name.clone(), rate: rate as f32 }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_fall_by_layer_and_the_head_has_its_own() {
        let weight =
            |name: &str, layer| WeightInfo { name: name.to_owned(), shape: vec![2], layer };
        let weights = [
            weight("a.weight", 2),
            weight("a.bias", 2),
            weight("b.weight", 5),
            weight("c.weight", 9),
            weight("head.weight", 9),
        ];
        let below: HashSet<String> = weights[..4].iter().map(|w| w.name.clone()).collect();
        let rates = Rates { backbone: 1e-4, head: 1e-3, layer_decay: 0.5, ..Rates::default() };
        let found: Vec<f32> =
            of_weights(&weights, &below, &rates).into_iter().map(|t| t.rate).collect();
        assert_eq!(found, [0.25, 0.25, 0.5, 1.0, 10.0]);
    }
}
