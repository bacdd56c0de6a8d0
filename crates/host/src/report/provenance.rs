//! What was compared, so that it can be compared again.

use graft_onnx::Architecture;
use graft_spec::{ImageSpec, Labels, WordsSpec};
use serde::Serialize;

use super::learners::Source;
use super::{Method, ReportRecipe};
use crate::digest::Digest;
use crate::engine::{Engine, cpu_features};
use crate::features::FeatureOptions;

/// How examples are prepared for the source.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Prepared {
    /// A photo.
    Photo(ImageSpec),
    /// A text.
    Text(WordsSpec),
}

/// What was compared, to make it again.
#[derive(Debug, Serialize)]
pub struct Provenance {
    /// Of the backbone.
    pub model: String,
    /// Of its file.
    pub model_sha256: Digest,
    /// Of its weights.
    pub model_licence: String,
    /// Where it is cut.
    pub at: String,
    /// Photos, labels and split.
    pub data_sha256: Digest,
    /// How examples are prepared for it.
    pub input: Prepared,
    /// The whole recipe of fine-tuning, as TOML, if there was any.
    pub fine_tuning: Option<String>,
    /// The network that learned from scratch, if one did.
    pub scratch: Option<ScratchFacts>,
    /// Folds of cross-validation of the heads.
    pub folds: usize,
    /// Where ONNX Runtime computed.
    pub provider: &'static str,
    /// Its version.
    pub onnx_runtime: String,
    /// Instruction sets that decide about kernels.
    pub cpu: String,
    /// Of this program.
    pub graft: &'static str,
}

/// The network that learned from scratch.
#[derive(Debug, Serialize)]
pub struct ScratchFacts {
    /// Its kind.
    pub architecture: &'static str,
    /// Factor of its channels; nothing of texts.
    pub width: Option<f32>,
    /// Its numbers.
    pub parameters: u64,
    /// Width and height of its pictures; nothing of texts.
    pub size: Option<[u32; 2]>,
    /// Epochs.
    pub epochs: usize,
    /// Photos of a step, about.
    pub batch: usize,
    /// Learning rate.
    pub rate: f64,
}

pub(super) fn provenance(
    engine: &Engine,
    (source, train): (Source<'_>, &[usize]),
    labels: &Labels,
    recipe: &ReportRecipe,
    options: &FeatureOptions,
    data_sha256: Digest,
) -> Provenance {
    let with = |method: Method| recipe.methods.contains(&method);
    let of = &recipe.scratch;
    let classes = labels.names().len();
    let (origin, at, input, architecture, parameters, size) = match source {
        Source::Photos(backbone) => {
            let input = of.input(&backbone.input);
            let network = of.network(&input, classes, recipe.seed);
            (
                &backbone.origin,
                backbone.at.clone(),
                Prepared::Photo(backbone.input.clone()),
                Architecture::name(of.architecture),
                network.summary().parameters,
                Some([input.width, input.height]),
            )
        }
        Source::Texts(lessons) => {
            let spec = lessons.spec();
            let numbers = lessons.moving(train) * spec.dimensions as usize;
            let head = classes * (spec.dimensions as usize + 1);
            (
                lessons.origin,
                "texts".to_owned(),
                Prepared::Text(spec.clone()),
                "word_vectors",
                (numbers + head) as u64,
                None,
            )
        }
    };
    Provenance {
        model: origin.name.clone(),
        model_sha256: origin.sha256,
        model_licence: origin.licence.clone(),
        at,
        data_sha256,
        input,
        fine_tuning: with(Method::FineTuned).then(|| recipe.fine_tuning.to_toml()),
        scratch: with(Method::Scratch).then_some(ScratchFacts {
            architecture,
            width: size.map(|_| of.width),
            parameters,
            size,
            epochs: of.epochs,
            batch: of.batch,
            rate: of.rate,
        }),
        folds: recipe.folds,
        provider: options.provider.name(),
        onnx_runtime: engine.version().to_owned(),
        cpu: cpu_features(),
        graft: env!("CARGO_PKG_VERSION"),
    }
}
