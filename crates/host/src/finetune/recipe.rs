//! Everything that decides about a fine-tuning beside data and network, as TOML.

use std::path::Path;

use graft_learn::{ClassWeights, Decay};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::augment::Augmentation;
use super::start::From;
use crate::digest::Digest;

/// How to fine-tune. Keys that are not in a file have defaults; keys that mean
/// nothing are errors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FineTuning {
    /// From where on.
    pub from: From,
    /// Times that every example is learned from.
    pub epochs: usize,
    /// Examples of a step.
    pub batch: usize,
    /// Of the splits, of the order of examples and of their augmentation.
    pub seed: u64,
    /// Epochs without a better stop part after which training ends; 0: never.
    pub patience: usize,
    /// Share of the training part that says which epoch's weights are kept. 0: the
    /// last one's.
    pub stop_share: f64,
    /// Share of the training part that temperature and threshold come from.
    pub calibrate_share: f64,
    /// Below which the gradient's norm is kept; 0: as it is.
    pub clip_norm: f32,
    /// Share of a target that is dealt to all classes.
    pub label_smoothing: f64,
    /// How much each class counts.
    pub class_weights: ClassWeights,
    /// How weights follow gradients.
    pub optimiser: Optimiser,
    /// How fast.
    pub rates: Rates,
    /// What happens to photos that are learned from.
    pub augment: Augmentation,
}

/// How weights follow gradients. Decay is of matrices and kernels alone.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "lowercase", deny_unknown_fields)]
pub enum Optimiser {
    /// Stochastic gradient descent with momentum.
    Sgd {
        /// Share of the last step that goes on.
        #[serde(default = "momentum")]
        momentum: f32,
        /// Share of a weight that a gradient gets.
        #[serde(default = "decay")]
        weight_decay: f32,
    },
    /// Adam with decay apart from the gradient (Loshchilov and Hutter 2019).
    AdamW {
        /// Of the mean of gradients.
        #[serde(default = "beta1")]
        beta1: f32,
        /// Of the mean of their squares.
        #[serde(default = "beta2")]
        beta2: f32,
        /// Under the root's quotient.
        #[serde(default = "epsilon")]
        epsilon: f32,
        /// Share of a weight that a step of rate 1 would take.
        #[serde(default = "decay")]
        weight_decay: f32,
    },
}

fn momentum() -> f32 {
    0.9
}
fn beta1() -> f32 {
    0.9
}
fn beta2() -> f32 {
    0.999
}
fn epsilon() -> f32 {
    1e-8
}
fn decay() -> f32 {
    0.05
}

/// Learning rates.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rates {
    /// Of the backbone's topmost layer.
    pub backbone: f64,
    /// Of the head.
    pub head: f64,
    /// Of a layer, as a share of the one above it (Howard and Ruder 2018).
    pub layer_decay: f64,
    /// Share of all steps in which the rates rise.
    pub warm_up: f64,
    /// How they go from there.
    pub decay: Decay,
}

impl Default for FineTuning {
    fn default() -> FineTuning {
        FineTuning {
            from: From::All,
            epochs: 12,
            batch: 32,
            seed: 0,
            patience: 8,
            stop_share: 0.1,
            calibrate_share: 0.1,
            clip_norm: 1.0,
            label_smoothing: 0.0,
            class_weights: ClassWeights::Uniform,
            optimiser: Optimiser::AdamW {
                beta1: beta1(),
                beta2: beta2(),
                epsilon: epsilon(),
                weight_decay: decay(),
            },
            rates: Rates::default(),
            augment: Augmentation::default(),
        }
    }
}

impl Default for Rates {
    fn default() -> Rates {
        // The head was solved: large steps would only undo that (Kumar et al. 2022).
        Rates { backbone: 1e-4, head: 1e-4, layer_decay: 1.0, warm_up: 0.1, decay: Decay::Cosine }
    }
}

/// A recipe that can't be followed.
#[derive(Debug, thiserror::Error)]
pub enum RecipeError {
    /// The system refused.
    #[error("cannot read {}", path.display())]
    Read { path: std::path::PathBuf, source: std::io::Error },
    /// Not a recipe.
    #[error("{} is not a recipe: {reason}", path.display())]
    Malformed { path: std::path::PathBuf, reason: String },
    /// For photos.
    #[error("the recipe augments, and texts cannot be augmented")]
    AugmentedTexts,
    /// A number out of range.
    #[error("the recipe's {key} is {value}; it must be {must}")]
    Value { key: &'static str, value: String, must: &'static str },
}

/// Larger files are no recipes.
const LARGEST_FILE: u64 = 1 << 16;

impl FineTuning {
    /// For a network that begins with random weights: large steps, and more of them.
    pub fn from_nothing() -> FineTuning {
        FineTuning {
            epochs: 10,
            batch: 64,
            patience: 0,
            clip_norm: 5.0,
            optimiser: Optimiser::Sgd { momentum: 0.9, weight_decay: 5e-4 },
            rates: Rates { backbone: 0.05, head: 0.05, ..Rates::default() },
            ..FineTuning::default()
        }
    }

    /// For vectors of words and the head on them.
    pub fn of_vectors() -> FineTuning {
        FineTuning {
            from: From::Vectors,
            rates: Rates { backbone: 1e-3, head: 1e-3, ..Rates::default() },
            ..FineTuning::default()
        }
    }

    /// Reads a file. Keys that are not in it are as in `defaults`.
    pub fn read(path: &Path, defaults: &FineTuning) -> Result<FineTuning, RecipeError> {
        use std::io::Read;
        let fail = |source| RecipeError::Read { path: path.to_path_buf(), source };
        let mut text = String::new();
        let file = std::fs::File::open(path).map_err(fail)?;
        file.take(LARGEST_FILE).read_to_string(&mut text).map_err(fail)?;
        FineTuning::parse(&text, defaults).map_err(|error| match error {
            ParseError::Toml(error) => {
                let reason = error.to_string().trim_end().to_owned();
                RecipeError::Malformed { path: path.to_path_buf(), reason }
            }
            ParseError::Value(error) => error,
        })
    }

    fn parse(text: &str, defaults: &FineTuning) -> Result<FineTuning, ParseError> {
        // By itself first: errors name the line, which is lost below.
        let _: FineTuning = toml::from_str(text).map_err(ParseError::Toml)?;
        let given: Table = toml::from_str(text).map_err(ParseError::Toml)?;
        let mut whole =
            Table::try_from(defaults).expect("invariant: a recipe is tables of plain values");
        lay_over(&mut whole, given);
        let recipe: FineTuning = whole.try_into().map_err(ParseError::Toml)?;
        recipe.check().map_err(ParseError::Value)?;
        Ok(recipe)
    }

    /// All of it, defaults written out: what [`FineTuning::read`] reads.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("invariant: a recipe is tables of plain values")
    }

    /// Of [`FineTuning::to_toml`].
    pub(super) fn digest(&self) -> Digest {
        Digest::of(self.to_toml().as_bytes())
    }

    /// Checks the ranges of all numbers.
    pub fn check(&self) -> Result<(), RecipeError> {
        let check = |key, value: f64, good: bool, must| match good {
            true => Ok(()),
            false => Err(RecipeError::Value { key, value: value.to_string(), must }),
        };
        let positive =
            |key, value: f64| check(key, value, value.is_finite() && value > 0.0, "above 0");
        let share = |key, value: f64| {
            check(key, value, (0.0..1.0).contains(&value), "0 or more and below 1")
        };
        let whole = |key, value: usize, most: usize, must| {
            check(key, value as f64, (1..=most).contains(&value), must)
        };
        whole("epochs", self.epochs, 100_000, "1 to 100000")?;
        whole("batch", self.batch, 65_536, "1 to 65536")?;
        share("stop_share", self.stop_share)?;
        let shares = self.stop_share + self.calibrate_share;
        check(
            "calibrate_share",
            self.calibrate_share,
            self.calibrate_share > 0.0 && shares < 1.0,
            "above 0, and below 1 together with stop_share",
        )?;
        let clip = f64::from(self.clip_norm);
        check("clip_norm", clip, clip.is_finite() && clip >= 0.0, "0 or more")?;
        share("label_smoothing", self.label_smoothing)?;
        match self.optimiser {
            Optimiser::Sgd { momentum, weight_decay } => {
                share("optimiser.momentum", momentum.into())?;
                share("optimiser.weight_decay", weight_decay.into())?;
            }
            Optimiser::AdamW { beta1, beta2, epsilon, weight_decay } => {
                share("optimiser.beta1", beta1.into())?;
                share("optimiser.beta2", beta2.into())?;
                positive("optimiser.epsilon", epsilon.into())?;
                share("optimiser.weight_decay", weight_decay.into())?;
            }
        }
        let Rates { backbone, head, layer_decay, warm_up, .. } = self.rates;
        positive("rates.backbone", backbone)?;
        positive("rates.head", head)?;
        let up_to_one = |x: f64| x > 0.0 && x <= 1.0;
        check("rates.layer_decay", layer_decay, up_to_one(layer_decay), "above 0 and at most 1")?;
        share("rates.warm_up", warm_up)?;
        let augment = &self.augment;
        let degrees = augment.rotate_degrees;
        check("augment.rotate_degrees", degrees, (0.0..=180.0).contains(&degrees), "0 to 180")?;
        let crop = augment.crop_scale;
        check("augment.crop_scale", crop, up_to_one(crop), "above 0 and at most 1")?;
        share("augment.brightness", augment.brightness)?;
        share("augment.contrast", augment.contrast)?;
        share("augment.erase", augment.erase)
    }
}

/// Values of `given` take the place of those in `whole`, key by key. Of another
/// optimiser, none of the numbers of the first one means anything.
fn lay_over(whole: &mut Table, given: Table) {
    for (key, value) in given {
        match (whole.get_mut(&key), value) {
            (Some(Value::Table(there)), Value::Table(value))
                if value.get("name") == there.get("name") =>
            {
                lay_over(there, value);
            }
            (_, value) => drop(whole.insert(key, value)),
        }
    }
}

enum ParseError {
    Toml(toml::de::Error),
    Value(RecipeError),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<FineTuning, String> {
        parse_over(text, &FineTuning::default())
    }

    fn parse_over(text: &str, defaults: &FineTuning) -> Result<FineTuning, String> {
        FineTuning::parse(text, defaults).map_err(|error| match error {
            ParseError::Toml(error) => error.to_string(),
            ParseError::Value(error) => error.to_string(),
        })
    }

    /// A file for a network that begins from nothing must not bring the small steps of
    /// fine-tuning with it.
    #[test]
    fn what_a_file_leaves_out_is_as_in_the_defaults() {
        let nothing = FineTuning::from_nothing();
        let read = |text: &str| parse_over(text, &nothing).unwrap();
        assert_eq!(read(""), nothing);
        let longer = read("epochs = 30\n[rates]\nwarm_up = 0.2\n");
        let rates = Rates { warm_up: 0.2, ..nothing.rates };
        assert_eq!(longer, FineTuning { epochs: 30, rates, ..nothing.clone() });
        let sgd = read("[optimiser]\nname = \"sgd\"\nmomentum = 0.8\n").optimiser;
        assert_eq!(sgd, Optimiser::Sgd { momentum: 0.8, weight_decay: 5e-4 });
        let adam = read("[optimiser]\nname = \"adamw\"\n").optimiser;
        assert_eq!(adam, FineTuning::default().optimiser);
    }

    #[test]
    fn reads_what_it_writes_and_fills_in_defaults() {
        let whole = FineTuning {
            from: From::Last(3),
            stop_share: 0.2,
            optimiser: Optimiser::Sgd { momentum: 0.8, weight_decay: 1e-4 },
            augment: Augmentation {
                quarter_turns: true,
                crop_scale: 0.8,
                ..Augmentation::default()
            },
            ..FineTuning::default()
        };
        assert_eq!(parse(&whole.to_toml()).unwrap(), whole);
        assert_eq!(parse("").unwrap(), FineTuning::default());
        let some = parse(
            "from = \"last:2\"\nepochs = 3\n[optimiser]\nname = \"sgd\"\n[rates]\nhead = 0.01\n[augment]\nflip_vertical = true\n",
        )
        .unwrap();
        assert_eq!(some.from, From::Last(2));
        assert_eq!(some.optimiser, Optimiser::Sgd { momentum: 0.9, weight_decay: 0.05 });
        assert_eq!((some.rates.head, some.rates.backbone), (0.01, Rates::default().backbone));
        assert!(some.augment.flip_vertical && !some.augment.flip_horizontal);
    }

    #[test]
    fn what_means_nothing_is_an_error_that_names_it() {
        for (text, words) in [
            ("epoch = 3", "epoch"),
            ("[augment]\nflip = true", "flip"),
            ("[optimiser]\nname = \"lion\"", "lion"),
            ("[optimiser]\nname = \"sgd\"\nbeta1 = 0.5", "beta1"),
            ("from = \"last:none\"", "last:none"),
            ("epochs = 0", "epochs is 0"),
            ("batch = 1.5", "batch"),
            ("calibrate_share = 0.0", "calibrate_share"),
            ("stop_share = 0.6\ncalibrate_share = 0.5", "calibrate_share is 0.5"),
            ("[rates]\nbackbone = nan", "rates.backbone"),
            ("[augment]\ncrop_scale = 0", "crop_scale"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
