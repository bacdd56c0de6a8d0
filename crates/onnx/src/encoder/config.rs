use serde::Deserialize;

use super::EncoderError;

/// Larger ones are of no use on a device, and a header that lies must not make room
/// for them.
const MOST: usize = 1 << 24;

/// What of a `config.json` decides about the network.
#[derive(Debug, Deserialize)]
pub(super) struct Config {
    pub(super) hidden_size: usize,
    pub(super) num_hidden_layers: usize,
    pub(super) num_attention_heads: usize,
    pub(super) intermediate_size: usize,
    pub(super) vocab_size: usize,
    pub(super) max_position_embeddings: usize,
    pub(super) type_vocab_size: usize,
    #[serde(default = "gelu")]
    hidden_act: String,
    #[serde(default = "epsilon")]
    pub(super) layer_norm_eps: f64,
    #[serde(default = "absolute")]
    position_embedding_type: String,
    #[serde(default)]
    is_decoder: bool,
}

/// Between the layers of the inner network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Activation {
    Gelu,
    Relu,
}

fn gelu() -> String {
    "gelu".to_owned()
}

fn absolute() -> String {
    "absolute".to_owned()
}

fn epsilon() -> f64 {
    1e-12
}

impl Config {
    pub(super) fn parse(json: &[u8]) -> Result<Config, EncoderError> {
        // The kind first: others lack the keys below.
        #[derive(Deserialize)]
        struct Kind {
            model_type: Option<String>,
        }
        let detail = |error: serde_json::Error| EncoderError::Config { detail: error.to_string() };
        let Kind { model_type } = serde_json::from_slice(json).map_err(detail)?;
        let found = model_type.unwrap_or_default();
        if found != "bert" {
            return Err(EncoderError::Kind { key: "model_type", found, known: "bert" });
        }
        let config: Config = serde_json::from_slice(json).map_err(detail)?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), EncoderError> {
        self.activation()?;
        let kind =
            |key, found: &str, known| EncoderError::Kind { key, found: found.to_owned(), known };
        if self.position_embedding_type != "absolute" {
            return Err(kind("position_embedding_type", &self.position_embedding_type, "absolute"));
        }
        if self.is_decoder {
            return Err(kind("is_decoder", "true", "false"));
        }
        let sizes = [
            ("hidden_size", self.hidden_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("intermediate_size", self.intermediate_size),
            ("vocab_size", self.vocab_size),
            ("max_position_embeddings", self.max_position_embeddings),
            ("type_vocab_size", self.type_vocab_size),
        ];
        if let Some((key, size)) = sizes.iter().find(|(_, size)| !(1..=MOST).contains(size)) {
            let detail = format!("{key} is {size}, must be 1 to {MOST}");
            return Err(EncoderError::Sizes { detail });
        }
        if !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            let detail = format!(
                "hidden_size {} does not divide among {} heads",
                self.hidden_size, self.num_attention_heads
            );
            return Err(EncoderError::Sizes { detail });
        }
        if !(self.layer_norm_eps.is_finite() && self.layer_norm_eps > 0.0) {
            let detail = format!("layer_norm_eps is {}, must be above 0", self.layer_norm_eps);
            return Err(EncoderError::Sizes { detail });
        }
        Ok(())
    }

    pub(super) fn activation(&self) -> Result<Activation, EncoderError> {
        match self.hidden_act.as_str() {
            "gelu" => Ok(Activation::Gelu),
            "relu" => Ok(Activation::Relu),
            other => Err(EncoderError::Kind {
                key: "hidden_act",
                found: other.to_owned(),
                known: "gelu or relu",
            }),
        }
    }
}
