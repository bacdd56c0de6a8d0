//! What the verbs that make features of photos and divide them have in common.

use clap::Args;
use graft_host::features::FeatureOptions;

use crate::args::{Context, ProviderArgs};
use crate::input_args::InputArgs;
use crate::locations::Locations;

/// How photos become features.
#[derive(Args)]
pub struct FeatureArgs {
    /// Neither look for features nor keep them
    #[arg(long)]
    no_cache: bool,

    #[command(flatten)]
    provider: ProviderArgs,

    #[command(flatten)]
    pub input: InputArgs,
}

impl FeatureArgs {
    /// `batch` is that of a run of the network; what suits the provider if `None`.
    pub fn options(
        &self,
        batch: Option<usize>,
        context: &Context<'_>,
        locations: &Locations,
    ) -> FeatureOptions {
        FeatureOptions {
            provider: self.provider.provider(locations),
            threads: context.global.threads(),
            batch,
            cache: (!self.no_cache).then(|| locations.features()),
            spill: Some(locations.spill()),
        }
    }
}

/// How photos are divided for cross-validation.
#[derive(Args)]
pub struct FoldArgs {
    /// Folds of cross-validation
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(2..=100))]
    pub folds: u16,

    /// Of all that is drawn: photos, splits, folds, first weights
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
}
