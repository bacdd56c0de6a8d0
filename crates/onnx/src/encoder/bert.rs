//! BERT (Devlin et al. 2019), and MiniLM (Wang et al. 2020), which has its structure:
//! embeddings, then layers of
//! attention and a small network, each added to what it read and normalised.

use super::build::Build;
use super::config::{Activation, Config};
use super::sentence::{Read, TokenPooling, sentence};
use super::weights::Weights;
use super::{EncoderError, SentenceEncoder};
use crate::graph::Graph;
use crate::pool::int;
use crate::tensor::ElementType;

/// What stands before the names of weights in a file with a whole task's network.
const PREFIX: &str = "bert.";

/// Added to the scores of padding before the softmax: its share is then exactly 0.
const NO_ATTENTION: f32 = -1e9;

impl SentenceEncoder {
    /// A BERT as Hugging Face's transformers keeps it: its
    /// `config.json` and `model.safetensors`. Weights are written as 32-bit floats.
    ///
    /// # Errors
    ///
    /// Another kind of network; weights that are missing, or have another shape than
    /// the configuration says.
    pub fn of_hugging_face(
        config: &[u8],
        safetensors: &[u8],
        pooling: TokenPooling,
    ) -> Result<SentenceEncoder, EncoderError> {
        let config = Config::parse(config)?;
        let weights = Weights::parse(safetensors, PREFIX)?;
        let mut write = Write { build: Build::default(), config: &config, weights: &weights };
        let read = Read::tokens(&mut write.build);
        let rows = write.network(&read)?;
        let graph = sentence(write.build, &read, &rows, pooling, config.hidden_size, 17);
        Ok(SentenceEncoder {
            graph: Graph::of_model(graph).map_err(Box::new)?,
            length: config.hidden_size,
            vocabulary: config.vocab_size,
            positions: Some(config.max_position_embeddings),
        })
    }
}

struct Write<'a> {
    build: Build,
    config: &'a Config,
    weights: &'a Weights<'a>,
}

impl Write<'_> {
    /// The rows of the last layer, `[N, S, hidden]`.
    fn network(&mut self, read: &Read) -> Result<String, EncoderError> {
        let mut rows = self.embeddings(read)?;
        let ones = self.build.floats("attention.one", &[], &[1.0]);
        let much = self.build.floats("attention.none", &[], &[-NO_ATTENTION]);
        let axes = self.build.wholes("attention.axes", &[1, 2]);
        // 0 for a token, very little for padding: [N, 1, 1, S].
        let padding = self.build.node("Sub", &[&read.mask, &ones], "attention.padding", vec![]);
        let bias = self.build.node("Mul", &[&padding, &much], "attention.bias", vec![]);
        let bias = self.build.node("Unsqueeze", &[&bias, &axes], "attention.bias.4d", vec![]);
        for layer in 0..self.config.num_hidden_layers {
            rows = self.layer(layer, &rows, &bias)?;
        }
        Ok(rows)
    }

    /// A row a token: what it is, and where it stands. All are of one type.
    fn embeddings(&mut self, read: &Read) -> Result<String, EncoderError> {
        let &Config { hidden_size: hidden, vocab_size, max_position_embeddings, .. } = self.config;
        let types = self.config.type_vocab_size;
        let get = |name: &str, rows| {
            self.weights.get(&format!("embeddings.{name}_embeddings.weight"), &[rows, hidden])
        };
        let words = get("word", vocab_size)?;
        let positions = get("position", max_position_embeddings)?;
        let of_type = get("token_type", types)?;
        let mut table = positions;
        for row in table.chunks_exact_mut(hidden) {
            row.iter_mut().zip(&of_type).for_each(|(value, of_type)| *value += of_type);
        }
        let words = self.build.floats("embeddings.words", &[vocab_size, hidden], &words);
        let table =
            self.build.floats("embeddings.positions", &[max_position_embeddings, hidden], &table);
        let build = &mut self.build;
        let zero = build.wholes("embeddings.zero", &[0]);
        let one = build.wholes("embeddings.one", &[1]);
        let two = build.wholes("embeddings.two", &[2]);
        let words = build.node("Gather", &[&words, &read.ids], "embeddings.word", vec![]);
        let shape = build.node("Shape", &[&read.ids], "embeddings.shape", vec![]);
        let length = build.node("Slice", &[&shape, &one, &two], "embeddings.length", vec![]);
        let places =
            build.node("Slice", &[&table, &zero, &length, &zero], "embeddings.position", vec![]);
        let sum = build.node("Add", &[&words, &places], "embeddings.sum", vec![]);
        self.norm("embeddings.LayerNorm", &sum)
    }

    fn layer(&mut self, layer: usize, rows: &str, bias: &str) -> Result<String, EncoderError> {
        let name = |part: &str| format!("encoder.layer.{layer}.{part}");
        let attended = self.attention(&name, rows, bias)?;
        let (hidden, inner) = (self.config.hidden_size, self.config.intermediate_size);
        let wide = self.dense(&name("intermediate.dense"), &attended, hidden, inner, 1.0)?;
        let active = self.activation(&name("intermediate"), &wide)?;
        let narrow = self.dense(&name("output.dense"), &active, inner, hidden, 1.0)?;
        let sum = self.build.node("Add", &[&narrow, &attended], &name("output.sum"), vec![]);
        self.norm(&name("output.LayerNorm"), &sum)
    }

    /// Vaswani et al. 2017: every token takes a mean of all, weighted by how well they
    /// answer to it.
    fn attention(
        &mut self,
        name: &dyn Fn(&str) -> String,
        rows: &str,
        bias: &str,
    ) -> Result<String, EncoderError> {
        let (hidden, heads) = (self.config.hidden_size, self.config.num_attention_heads);
        let length = hidden / heads;
        // [N, S, hidden] is [N, S, heads, length]; the batch is copied, the length of
        // the text is what is left.
        let by_head =
            self.build.wholes(&name("attention.heads"), &[0, -1, heads as i64, length as i64]);
        let whole = self.build.wholes(&name("attention.whole"), &[0, -1, hidden as i64]);
        let mut part = |part: &str, perm: &[i64], scale: f32| {
            let at = name(&format!("attention.self.{part}"));
            let row = self.dense(&at, rows, hidden, hidden, scale)?;
            let parts =
                self.build.node("Reshape", &[&row, &by_head], &format!("{at}.heads"), vec![]);
            Ok::<_, EncoderError>(self.build.transpose(&parts, perm, &format!("{at}.first")))
        };
        // The scale of the scores is a number of the weights as well.
        let query = part("query", &[0, 2, 1, 3], 1.0 / (length as f32).sqrt())?;
        let key = part("key", &[0, 2, 3, 1], 1.0)?;
        let value = part("value", &[0, 2, 1, 3], 1.0)?;
        let build = &mut self.build;
        let scores = build.node("MatMul", &[&query, &key], &name("attention.scores"), vec![]);
        let scores = build.node("Add", &[&scores, bias], &name("attention.masked"), vec![]);
        let shares =
            build.node("Softmax", &[&scores], &name("attention.shares"), vec![int("axis", -1)]);
        let means = build.node("MatMul", &[&shares, &value], &name("attention.means"), vec![]);
        let means = build.transpose(&means, &[0, 2, 1, 3], &name("attention.means.last"));
        let means = build.node("Reshape", &[&means, &whole], &name("attention.joined"), vec![]);
        let made = self.dense(&name("attention.output.dense"), &means, hidden, hidden, 1.0)?;
        let sum = self.build.node("Add", &[&made, rows], &name("attention.output.sum"), vec![]);
        self.norm(&name("attention.output.LayerNorm"), &sum)
    }

    fn dense(
        &mut self,
        name: &str,
        from: &str,
        inputs: usize,
        outputs: usize,
        scale: f32,
    ) -> Result<String, EncoderError> {
        let (matrix_name, bias_name) = (format!("{name}.weight"), format!("{name}.bias"));
        let mut matrix = self.weights.dense(&matrix_name, inputs, outputs)?;
        let mut bias = self.weights.get(&bias_name, &[outputs])?;
        if scale != 1.0 {
            matrix.iter_mut().chain(&mut bias).for_each(|value| *value *= scale);
        }
        let matrix = self.build.floats(&matrix_name, &[inputs, outputs], &matrix);
        let bias = self.build.floats(&bias_name, &[outputs], &bias);
        let product =
            self.build.node("MatMul", &[from, &matrix], &format!("{name}.product"), vec![]);
        Ok(self.build.node("Add", &[&product, &bias], name, vec![]))
    }

    fn norm(&mut self, name: &str, from: &str) -> Result<String, EncoderError> {
        let hidden = self.config.hidden_size;
        let mut weight = |part: &str| {
            let name = format!("{name}.{part}");
            let values = self.weights.get(&name, &[hidden])?;
            Ok::<_, EncoderError>(self.build.floats(&name, &[hidden], &values))
        };
        let (scale, bias) = (weight("weight")?, weight("bias")?);
        Ok(self.build.layer_norm([from, &scale, &bias], self.config.layer_norm_eps, name))
    }

    fn activation(&mut self, name: &str, from: &str) -> Result<String, EncoderError> {
        let active = format!("{name}.active");
        if self.config.activation()? == Activation::Relu {
            return Ok(self.build.node("Relu", &[from], &active, vec![]));
        }
        // x / 2 · (1 + erf(x / √2)), in the form that engines know to be one function.
        let build = &mut self.build;
        let root = build.floats(&format!("{name}.root"), &[], &[std::f32::consts::SQRT_2]);
        let one = build.floats(&format!("{name}.one"), &[], &[1.0]);
        let half = build.floats(&format!("{name}.half"), &[], &[0.5]);
        let scaled = build.node("Div", &[from, &root], &format!("{name}.scaled"), vec![]);
        let erf = build.node("Erf", &[&scaled], &format!("{name}.erf"), vec![]);
        let more = build.node("Add", &[&erf, &one], &format!("{name}.more"), vec![]);
        let product = build.node("Mul", &[from, &more], &format!("{name}.twice"), vec![]);
        Ok(build.node("Mul", &[&product, &half], &active, vec![]))
    }
}

/// A cast to a type of elements.
pub(super) fn cast(build: &mut Build, from: &str, to: ElementType, output: &str) -> String {
    build.node("Cast", &[from], output, vec![int("to", i64::from(to.code()))])
}
