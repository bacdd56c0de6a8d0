//! The layers that run when the network is asked, and its inputs.

use std::collections::HashMap;

use super::error::{CaffeError, LayerProblem};
use super::fields::{Fields, message};
use super::kind::Kind;
use super::layers::MOST_AXES;
use super::text::Message;

/// A network as its prototxt states it for the phase TEST.
pub(super) struct Net<'m> {
    pub name: &'m str,
    pub inputs: Vec<Input<'m>>,
    pub layers: Vec<Layer<'m>>,
    pub transform: Option<Transform>,
}

pub(super) struct Input<'m> {
    pub name: &'m str,
    pub line: u32,
    /// Behind the batch.
    pub shape: Vec<u64>,
}

pub(super) struct Layer<'m> {
    pub name: &'m str,
    pub kind: Kind,
    /// As it is written.
    pub kind_name: &'m str,
    pub line: u32,
    pub bottoms: Vec<&'m str>,
    pub tops: Vec<&'m str>,
    pub message: &'m Message<'m>,
}

/// How a network's own data layer prepares a picture: `(pixel - mean) * scale`,
/// the pixel being 0 to 255, channels in the order blue, green, red.
#[derive(Clone, Debug, PartialEq)]
pub struct Transform {
    /// Empty if the prototxt names a file, or nothing; else one, or one a channel.
    pub mean: Vec<f32>,
    /// A factor.
    pub scale: f32,
    /// The mean image's file, as the prototxt names it.
    pub mean_file: Option<String>,
}

impl Layer<'_> {
    pub fn fail(&self, problem: LayerProblem) -> CaffeError {
        self.fail_at(self.line, problem)
    }

    pub fn fail_at(&self, line: u32, problem: LayerProblem) -> CaffeError {
        CaffeError::Layer {
            line,
            layer: self.name.to_owned(),
            kind: self.kind_name.to_owned(),
            problem,
        }
    }

    /// Reads the layer's parameters of that name with `read`, and refuses those
    /// that `read` did not ask for.
    pub fn parameters<'s, T>(
        &'s self,
        name: &'static str,
        read: impl FnOnce(&mut Fields<'s, 's>) -> Result<T, CaffeError>,
    ) -> Result<T, CaffeError> {
        let mut fields = Fields::of(Fields::of(Some(self.message)).message(name)?);
        let read = read(&mut fields)?;
        self.all_read(&fields)?;
        Ok(read)
    }

    fn all_read(&self, fields: &Fields<'_, '_>) -> Result<(), CaffeError> {
        match fields.unread() {
            None => Ok(()),
            Some(field) => {
                let problem = LayerProblem::UnknownField { field: field.name.to_owned() };
                Err(self.fail_at(field.line, problem))
            }
        }
    }
}

impl<'m> Net<'m> {
    pub fn read(file: &'m Message<'m>) -> Result<Net<'m>, CaffeError> {
        let mut fields = Fields::of(Some(file));
        let name = fields.text("name")?.unwrap_or_default();
        let mut inputs = old_inputs(&mut fields)?;
        fields.ignore(&["force_backward", "state", "debug_info"]);
        let old = fields.all("layers").map(|f| (f, true));
        let new = fields.all("layer").map(|f| (f, false));
        let mut stated: Vec<_> = old.chain(new).collect();
        // A file has the one or the other; mixed they would run in the file's order.
        stated.sort_by_key(|(field, _)| field.line);
        if let Some(field) = fields.unread() {
            let (line, field) = (field.line, field.name.to_owned());
            return Err(CaffeError::UnknownField { line, field });
        }

        let mut all = Vec::new();
        for (field, v1) in stated {
            all.push(layer(message(field)?, field.line, v1)?);
        }
        let state = State { deploy: all.iter().any(|(_, rules)| rules.iter().any(Rule::deploy)) };
        let mut lines = HashMap::new();
        let mut layers = Vec::new();
        let mut transform = None;
        for (layer, rules) in all {
            if !state.runs(&rules) {
                continue;
            }
            if lines.insert(layer.name, layer.line).is_some() {
                return Err(layer.fail(LayerProblem::DuplicateName));
            }
            match layer.kind {
                Kind::Input => inputs.extend(input_layer(&layer)?),
                Kind::Data => {
                    let (input, how) = data_layer(&layer)?;
                    inputs.push(input);
                    transform = Some(how);
                }
                Kind::Unknown => return Err(layer.fail(LayerProblem::UnknownKind)),
                _ => layers.push(layer),
            }
        }
        if inputs.is_empty() {
            return Err(CaffeError::NoInput);
        }
        Ok(Net { name, inputs, layers, transform })
    }
}

/// `input: "data"` with four `input_dim` or one `input_shape` each.
fn old_inputs<'m>(fields: &mut Fields<'m, 'm>) -> Result<Vec<Input<'m>>, CaffeError> {
    let names = fields.texts("input")?;
    let lines: Vec<u32> = fields.all("input").map(|f| f.line).collect();
    let dims = fields.counts("input_dim")?;
    let shapes = fields.messages("input_shape")?;
    let mut inputs = Vec::new();
    for (i, (&name, line)) in names.iter().zip(lines).enumerate() {
        let shape = match shapes.get(i) {
            Some(shape) => Fields::of(Some(shape)).counts("dim")?,
            // Four for each input; one too many or too few is nobody's.
            None if dims.len() != 4 * names.len() => Vec::new(),
            None => dims[4 * i..][..4].to_vec(),
        };
        inputs.push(input(name, line, shape)?);
    }
    Ok(inputs)
}

fn input(name: &str, line: u32, shape: Vec<u64>) -> Result<Input<'_>, CaffeError> {
    if !(2..=MOST_AXES).contains(&shape.len()) || shape.contains(&0) {
        return Err(CaffeError::InputShape { line, input: name.to_owned() });
    }
    Ok(Input { name, line, shape: shape[1..].to_vec() })
}

fn input_layer<'m>(layer: &Layer<'m>) -> Result<Vec<Input<'m>>, CaffeError> {
    let shapes = Fields::of(Some(layer.message)).message("input_param")?;
    let shapes = Fields::of(shapes).messages("shape")?;
    let shape = |i: usize| match shapes.get(i).or(shapes.first()) {
        Some(shape) => Fields::of(Some(shape)).counts("dim"),
        None => Ok(Vec::new()),
    };
    let tops = layer.tops.iter().enumerate();
    tops.map(|(i, top)| input(top, layer.line, shape(i)?)).collect()
}

/// Where pictures come from in training. Its size is known where it crops.
fn data_layer<'m>(layer: &Layer<'m>) -> Result<(Input<'m>, Transform), CaffeError> {
    let mut fields = Fields::of(Some(layer.message));
    let mut transform = Fields::of(fields.message("transform_param")?);
    let mean = transform.numbers("mean_value")?;
    let mean_file = transform.text("mean_file")?.map(str::to_owned);
    let scale = transform.number("scale", 1.0)?;
    let side = transform.count("crop_size")?.unwrap_or(0);
    let channels = match transform.flag("force_gray", false)? {
        true => 1,
        false if mean.len() == 3 || transform.flag("force_color", false)? => 3,
        // How many channels the pictures have is in the database alone.
        false => 0,
    };
    let Some(top) = layer.tops.first() else {
        return Err(layer.fail(LayerProblem::Tops { makes: 1, found: 0 }));
    };
    let input = input(top, layer.line, vec![1, channels, side, side])?;
    Ok((input, Transform { mean, scale, mean_file }))
}

fn layer<'m>(
    message: &'m Message<'m>,
    line: u32,
    v1: bool,
) -> Result<(Layer<'m>, Vec<Rule>), CaffeError> {
    let mut fields = Fields::of(Some(message));
    if v1 && fields.all("layer").next().is_some() {
        return Err(CaffeError::OldNet { line });
    }
    let name = fields.text("name")?.ok_or(CaffeError::Unnamed { line, field: "name" })?;
    let (kind, kind_name) = match v1 {
        true => Kind::of_v1(fields.one("type")?)?,
        false => fields.text("type")?.map(|name| (Kind::of(name), name)),
    }
    .ok_or(CaffeError::Unnamed { line, field: "type" })?;
    let (bottoms, tops) = (fields.texts("bottom")?, fields.texts("top")?);
    let mut rules = Vec::new();
    for (field, includes) in [("include", true), ("exclude", false)] {
        for rule in fields.messages(field)? {
            rules.push(Rule::read(rule, includes)?);
        }
    }
    let layer = Layer { name, kind, kind_name, line, bottoms, tops, message };
    // What the gradient needs. `param` names and scales weights; shared ones lie
    // in the caffemodel once a layer.
    fields.ignore(&["param", "blobs_lr", "weight_decay", "loss_weight", "propagate_down", "phase"]);
    let unread =
        message.fields.iter().find(|f| !fields.asked_for(f.name) && !f.name.ends_with("_param"));
    if let Some(field) = unread {
        let problem = LayerProblem::UnknownField { field: field.name.to_owned() };
        return Err(layer.fail_at(field.line, problem));
    }
    Ok((layer, rules))
}

/// A `NetStateRule`.
struct Rule {
    includes: bool,
    phase: Option<&'static str>,
    above_level: bool,
    stages: Vec<String>,
    not_stages: Vec<String>,
}

/// What the network is made for: the phase TEST, level 0, and the stage `deploy`
/// if a rule speaks of it.
struct State {
    deploy: bool,
}

impl Rule {
    fn read(message: &Message<'_>, includes: bool) -> Result<Rule, CaffeError> {
        let mut fields = Fields::of(Some(message));
        let owned = |texts: Vec<&str>| texts.into_iter().map(str::to_owned).collect();
        let rule = Rule {
            includes,
            phase: fields.word("phase", &["TRAIN", "TEST"], "TRAIN or TEST")?,
            above_level: fields.int("min_level")?.is_some_and(|level| level > 0)
                || fields.int("max_level")?.is_some_and(|level| level < 0),
            stages: owned(fields.texts("stage")?),
            not_stages: owned(fields.texts("not_stage")?),
        };
        match fields.unread() {
            None => Ok(rule),
            Some(field) => {
                Err(CaffeError::UnknownField { line: field.line, field: field.name.to_owned() })
            }
        }
    }

    fn deploy(&self) -> bool {
        self.stages.iter().chain(&self.not_stages).any(|stage| stage == "deploy")
    }
}

impl State {
    /// Caffe's `Net::FilterNet`: any of the includes, or else none of the excludes.
    fn runs(&self, rules: &[Rule]) -> bool {
        let meets = |rule: &&Rule| {
            let stage = |name: &String| self.deploy && name == "deploy";
            rule.phase != Some("TRAIN")
                && !rule.above_level
                && rule.stages.iter().all(stage)
                && !rule.not_stages.iter().any(stage)
        };
        match rules.iter().any(|rule| rule.includes) {
            true => rules.iter().filter(|rule| rule.includes).any(|rule| meets(&rule)),
            false => !rules.iter().any(|rule| meets(&rule)),
        }
    }
}
