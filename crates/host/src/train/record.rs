//! What a bundle tells of how it was made.

use std::collections::BTreeMap;

use graft_learn::{Setting, Trained};
use graft_spec::{BackboneOrigin, DataOrigin, EngineOrigin, Provenance, TestSummary};

use super::{ClassWeights, Evaluation, HeadRecipe, Learned, Recipe, Source};
use crate::digest::Digest;
use crate::engine::{Engine, cpu_features};
use crate::examples::Example;
use crate::features::Features;
use crate::provider::Provider;
use crate::sides::Sides;

pub(super) fn provenance(
    engine: &Engine,
    provider: &Provider,
    source: &Source<'_>,
    recipe: &Recipe,
    learned: &Learned<'_>,
    evaluation: &Evaluation,
) -> Provenance {
    let Learned { features, usable, sides, trained, words, .. } = learned;
    let mut recipe_words = recipe_words(recipe, trained, features.batch);
    recipe_words.extend(words.clone());
    Provenance {
        graft: env!("CARGO_PKG_VERSION").to_owned(),
        backbone: BackboneOrigin {
            name: source.origin.name.clone(),
            origin: source.origin.origin.clone(),
            licence: source.origin.licence.clone(),
            sha256: source.origin.sha256.to_string(),
            features_tensor: source.at.to_owned(),
        },
        data: DataOrigin {
            examples: usable.len(),
            trained: sides.train.len(),
            tested: sides.test.len(),
            sha256: data_digest(features, usable, sides).to_string(),
            licence: recipe.data_licence.clone(),
        },
        recipe: recipe_words,
        engine: EngineOrigin {
            provider: provider.name().to_owned(),
            onnx_runtime: engine.version().to_owned(),
            cpu: cpu_features(),
        },
        test: TestSummary {
            accuracy: evaluation.accuracy,
            accuracy_interval: evaluation.accuracy_interval,
            ece: evaluation.ece,
            answered: evaluation.answered,
        },
    }
}

/// The same examples, labels and sides give the same digest, whatever they are
/// called and wherever they are.
pub(crate) fn data_digest(features: &Features, usable: &[&Example], sides: &Sides) -> Digest {
    let on = |side: &'static str, members: &[usize]| {
        members
            .iter()
            .map(|&i| format!("{side} {} {}\n", usable[i].label, features.photos[i]))
            .collect::<Vec<_>>()
    };
    let mut lines = on("train", &sides.train);
    lines.extend(on("test", &sides.test));
    lines.sort();
    Digest::of(lines.concat().as_bytes())
}

fn recipe_words(recipe: &Recipe, trained: &Trained, batch: usize) -> BTreeMap<String, String> {
    let weights = |w: ClassWeights| match w {
        ClassWeights::Uniform => "uniform",
        ClassWeights::Balanced => "balanced",
    };
    let mut words = vec![
        ("seed", recipe.seed.to_string()),
        ("folds", recipe.folds.to_string()),
        ("batch", batch.to_string()),
        ("test_share", recipe.test_share.to_string()),
        ("answered", recipe.answered.map_or("all".to_owned(), |a| a.to_string())),
    ];
    match &recipe.head {
        HeadRecipe::Linear(linear) => {
            words.push(("head", "linear".to_owned()));
            words.push(("class_weights", weights(linear.class_weights).to_owned()));
            words.push(("strengths", format!("{:?}", linear.strengths)));
            words.push(("tolerance", linear.tolerance.to_string()));
        }
        HeadRecipe::Mlp(mlp) => {
            words.push(("head", "mlp".to_owned()));
            words.push(("class_weights", weights(mlp.class_weights).to_owned()));
            words.push(("hidden", mlp.hidden.to_string()));
            words.push(("learning_rate", mlp.learning_rate.to_string()));
            words.push(("weight_decay", mlp.weight_decay.to_string()));
            words.push(("patience", mlp.patience.to_string()));
            words.push(("epochs", mlp.epochs.to_string()));
        }
    }
    if let Some((fine_tuning, _)) = &recipe.fine_tuning {
        // As `--recipe` reads it.
        words.push(("fine_tuning", fine_tuning.to_toml()));
    }
    match trained.chosen {
        Setting::Strength(strength) => words.push(("chosen_strength", strength.to_string())),
        Setting::Epochs(epochs) => words.push(("chosen_epochs", epochs.to_string())),
    }
    words.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()
}
