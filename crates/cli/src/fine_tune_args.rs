//! Flags of fine-tuning, and the recipe that they make.

use std::path::{Path, PathBuf};

use clap::Args;
use graft_host::finetune::{Augmentation, Checkpoints, FineTuning, From};
use graft_host::train::ClassWeights;

#[derive(Args)]
#[command(next_help_heading = "Fine-tuning")]
pub struct FineTuneArgs {
    /// Tune the backbone itself after the head was solved: "all" of it, the "last:N"
    /// blocks below its features, or everything above a tensor; of texts the "vectors"
    /// of the words that are learned from
    #[arg(long, value_name = "FROM")]
    fine_tune: Option<From>,

    /// Learning rate of the head
    #[arg(long, value_name = "X", value_parser = rate)]
    head_rate: Option<f64>,

    #[command(flatten)]
    learn: LearnArgs,
}

/// Flags of everything that learns by steps.
#[derive(Args)]
#[command(next_help_heading = "Learning")]
pub struct LearnArgs {
    /// Learn as this TOML file says (docs/finetuning.md); flags beside it go first
    #[arg(long, value_name = "FILE")]
    recipe: Option<PathBuf>,

    /// Photos or texts of a step
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    batch_size: Option<u16>,

    /// Learning rate (of the backbone, where the head has its own)
    #[arg(long, value_name = "X", value_parser = rate)]
    rate: Option<f64>,

    /// What may happen to photos that are learned from: flip, flip-vertical,
    /// quarter-turns, rotate=DEGREES, crop=SMALLEST, brightness=X, contrast=X,
    /// erase=LARGEST, or none
    #[arg(long, value_name = "NAME[=X],…", value_parser = augmentation)]
    augment: Option<Augmentation>,

    /// Where the state after each epoch goes [default: beside the bundle, until it is
    /// written]
    #[arg(long, value_name = "FOLDER")]
    checkpoints: Option<PathBuf>,

    /// Go on from the checkpoint of an interrupted run
    #[arg(long)]
    resume: bool,
}

/// Flags of `graft train` that fine-tuning shares with the head.
pub struct Shared {
    pub epochs: Option<u16>,
    pub seed: Option<u64>,
    pub class_weights: Option<ClassWeights>,
}

impl FineTuneArgs {
    /// The recipe, if the backbone is to be tuned: the file's, or the default one,
    /// with what the flags say.
    pub fn fine_tuning(&self, shared: &Shared) -> anyhow::Result<Option<FineTuning>> {
        let mut recipe = match (&self.learn.recipe, &self.fine_tune) {
            (Some(path), Some(From::Vectors)) => FineTuning::read(path, &FineTuning::of_vectors())?,
            (Some(path), _) => FineTuning::read(path, &FineTuning::default())?,
            (None, Some(From::Vectors)) => FineTuning::of_vectors(),
            (None, Some(_)) => FineTuning::default(),
            (None, None) => {
                if let Some(flag) = self.stray() {
                    anyhow::bail!("{flag} is for fine-tuning: --fine-tune or --recipe");
                }
                return Ok(None);
            }
        };
        if let Some(from) = &self.fine_tune {
            recipe.from = from.clone();
        }
        self.learn.say(&mut recipe, shared);
        recipe.rates.head = self.head_rate.unwrap_or(recipe.rates.head);
        recipe.check()?;
        Ok(Some(recipe))
    }

    /// A flag that means nothing without fine-tuning.
    fn stray(&self) -> Option<&'static str> {
        let learn = &self.learn;
        let given = [
            (learn.batch_size.is_some(), "--batch-size"),
            (learn.rate.is_some(), "--rate"),
            (self.head_rate.is_some(), "--head-rate"),
            (learn.augment.is_some(), "--augment"),
            (learn.checkpoints.is_some(), "--checkpoints"),
            (learn.resume, "--resume"),
        ];
        given.into_iter().find_map(|(given, flag)| given.then_some(flag))
    }

    /// As [`LearnArgs::checkpoints`].
    pub fn checkpoints(&self, output: &Path) -> Checkpoints {
        self.learn.checkpoints(output)
    }

    /// As [`LearnArgs::forgets_checkpoints`].
    pub fn forgets_checkpoints(&self) -> bool {
        self.learn.forgets_checkpoints()
    }
}

impl LearnArgs {
    /// The recipe of a network that begins with random weights.
    pub fn recipe_from_nothing(
        &self,
        epochs: Option<u16>,
        seed: Option<u64>,
    ) -> anyhow::Result<FineTuning> {
        let defaults = FineTuning::from_nothing();
        let mut recipe = match &self.recipe {
            Some(path) => FineTuning::read(path, &defaults)?,
            None => defaults,
        };
        if recipe.from != From::All {
            anyhow::bail!(
                "the recipe tunes from {} on; a network that begins from nothing learns whole: leave `from` out of the recipe",
                recipe.from
            );
        }
        self.say(&mut recipe, &Shared { epochs, seed, class_weights: None });
        // There is no head apart from the network, nor a part that is frozen.
        recipe.rates.head = recipe.rates.backbone;
        recipe.check()?;
        Ok(recipe)
    }

    fn say(&self, recipe: &mut FineTuning, shared: &Shared) {
        let Shared { epochs, seed, class_weights } = shared;
        recipe.epochs = epochs.map_or(recipe.epochs, usize::from);
        recipe.batch = self.batch_size.map_or(recipe.batch, usize::from);
        recipe.seed = seed.unwrap_or(recipe.seed);
        recipe.class_weights = class_weights.unwrap_or(recipe.class_weights);
        recipe.rates.backbone = self.rate.unwrap_or(recipe.rates.backbone);
        if let Some(augment) = &self.augment {
            recipe.augment = augment.clone();
        }
    }

    /// Where checkpoints go, for a bundle.
    pub fn checkpoints(&self, output: &Path) -> Checkpoints {
        let folder = self.checkpoints.clone().unwrap_or_else(|| {
            let mut name = output.as_os_str().to_owned();
            name.push(".checkpoints");
            name.into()
        });
        Checkpoints { folder, resume: self.resume }
    }

    /// Whether they were only for the case that the run is interrupted.
    pub fn forgets_checkpoints(&self) -> bool {
        self.checkpoints.is_none()
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate.is_finite() => Ok(rate),
        _ => Err("must be a number above 0, such as 1e-4".to_owned()),
    }
}

fn augmentation(text: &str) -> Result<Augmentation, String> {
    let mut augment = Augmentation::default();
    if text == "none" {
        return Ok(augment);
    }
    for word in text.split(',') {
        let (name, value) = match word.trim().split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word.trim(), None),
        };
        let number = || -> Result<f64, String> {
            let value = value.ok_or_else(|| format!("{name} needs a number: {name}=X"))?;
            value.parse().map_err(|_| format!("{value:?} is no number, for {name}"))
        };
        let flag = match name {
            "flip" => Some(&mut augment.flip_horizontal),
            "flip-vertical" => Some(&mut augment.flip_vertical),
            "quarter-turns" => Some(&mut augment.quarter_turns),
            "rotate" => {
                augment.rotate_degrees = number()?;
                None
            }
            "crop" => {
                augment.crop_scale = number()?;
                None
            }
            "brightness" => {
                augment.brightness = number()?;
                None
            }
            "contrast" => {
                augment.contrast = number()?;
                None
            }
            "erase" => {
                augment.erase = number()?;
                None
            }
            other => {
                return Err(format!(
                    "{other:?} is none of flip, flip-vertical, quarter-turns, rotate, crop, brightness, contrast, erase and none"
                ));
            }
        };
        match (flag, value) {
            (Some(flag), None) => *flag = true,
            (Some(_), Some(_)) => return Err(format!("{name} takes no number")),
            (None, _) => {}
        }
    }
    Ok(augment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn augmentations_are_named() {
        let all = augmentation("flip,quarter-turns, rotate=10,crop=0.8,contrast=.2").unwrap();
        let expected = Augmentation {
            flip_horizontal: true,
            quarter_turns: true,
            rotate_degrees: 10.0,
            crop_scale: 0.8,
            contrast: 0.2,
            ..Augmentation::default()
        };
        assert_eq!(all, expected);
        assert_eq!(augmentation("none").unwrap(), Augmentation::default());
        for wrong in ["", "flips", "flip=1", "crop", "crop=x", "flip,,erase=0.1"] {
            assert!(augmentation(wrong).is_err(), "{wrong}");
        }
    }
}
