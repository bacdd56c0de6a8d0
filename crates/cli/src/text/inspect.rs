use std::fmt::Write;

use graft_host::inspect::{Axis, BundleInside, Cut, InputFacts, Inspection, Kind, Tensor};
use graft_spec::{Pooling, Tokeniser};

use super::{bytes, count, table};

pub fn result(i: &Inspection) -> String {
    let kind = match i.kind {
        Kind::Onnx => "ONNX",
        Kind::Bundle => "graft bundle",
    };
    let mut text =
        format!("{}: {kind}, {}, sha256 {}\n\n", i.path.display(), bytes(i.bytes as u64), i.sha256);
    if let Some(bundle) = &i.bundle {
        text += &inside(bundle);
    }
    for (word, tensors) in [("input", &i.inputs), ("output", &i.outputs)] {
        for tensor in tensors {
            let _ = writeln!(text, "  {word:9}  {}", outlet(tensor));
        }
    }
    let _ =
        writeln!(text, "  opset      {} (IR version {}), by {}", i.opset, i.ir_version, i.producer);
    let _ = writeln!(
        text,
        "  size       {} parameters in {}, {} nodes",
        count(i.parameters),
        bytes(i.parameter_bytes),
        i.nodes
    );
    let _ = match i.multiply_adds {
        Some(n) => writeln!(text, "  cost       {} multiply-adds an example", count(n)),
        None => writeln!(
            text,
            "  cost       unknown: {} nodes cannot be counted, first {}",
            i.uncounted_nodes.len(),
            i.uncounted_nodes.first().map_or("", String::as_str)
        ),
    };
    if let Some(c) = &i.classifier {
        let _ = writeln!(
            text,
            "  cut        at {} ({} features), before the last dense layer ({} classes)",
            c.features, c.feature_length, c.classes
        );
    }
    let problem = i.device.problem.as_deref().unwrap_or_default();
    let _ = match i.device.runs {
        Some(true) => writeln!(text, "  device     runs in the device engine"),
        Some(false) => writeln!(text, "  device     DOES NOT run in the device engine: {problem}"),
        None => writeln!(text, "  device     not tried in the device engine: {problem}"),
    };
    text.push('\n');
    let rows: Vec<Vec<String>> = i
        .operators
        .iter()
        .map(|o| {
            let name = match o.domain.as_str() {
                "" => o.name.clone(),
                domain => format!("{domain}.{}", o.name),
            };
            let device = if o.device { "yes" } else { "NO" };
            vec![name, o.count.to_string(), device.to_owned()]
        })
        .collect();
    text += &table(&["operator", "nodes", "device"], &rows);
    if let Some(places) = &i.cuts {
        text.push('\n');
        text += &cuts(places);
    }
    text
}

fn cuts(places: &[Cut]) -> String {
    let row = |cut: &Cut| {
        vec![
            cut.tensor.clone(),
            axes(&cut.shape),
            cut.depth.to_string(),
            cut.features.to_string(),
            count(cut.parameters),
            bytes(cut.parameter_bytes),
            cut.multiply_adds.map_or(String::new(), count),
        ]
    };
    let header = ["cut", "shape", "layers", "features", "parameters", "", "multiply-adds"];
    match places {
        [] => "  it narrows nowhere to one tensor of which features can be made\n".to_owned(),
        places => table(&header, &places.iter().map(row).collect::<Vec<_>>()),
    }
}

fn inside(b: &BundleInside) -> String {
    let mut text = format!("  name       {}\n  labels     {}\n", b.name, labels(&b.labels));
    let _ = match &b.input {
        InputFacts::Image(s) => writeln!(
            text,
            "  photo      {}×{} {} {}, {}, (p / {} − {:?}) / {:?}",
            s.width,
            s.height,
            word(&s.colour),
            word(&s.layout),
            match s.resize {
                None => word(&s.fit),
                Some([width, height]) =>
                    format!("{} to {width}×{height}, its centre", word(&s.fit)),
            },
            s.scale,
            s.mean,
            s.std
        ),
        InputFacts::Words(s) => {
            let Tokeniser::Words { lowercase } = s.tokens;
            let pooling = match s.pooling {
                Pooling::Last(words) => format!("the last {words} side by side"),
                other => word(&other),
            };
            let case = if lowercase { "lower case" } else { "case kept" };
            writeln!(
                text,
                "  text       words in {case}, {} of {} dimensions, {} at most",
                pooling,
                s.dimensions,
                bytes(s.max_bytes.into())
            )
        }
        InputFacts::Tokens(s) => writeln!(
            text,
            "  text       up to {} tokens of {}, {} at most",
            s.max_tokens,
            s.vocabulary,
            bytes(s.max_bytes.into())
        ),
    };
    let unknown =
        b.unknown_below.map_or("always answers".to_owned(), |t| format!("unknown below {t:.3}"));
    let _ = writeln!(text, "  answer     temperature {:.3}, {unknown}", b.temperature);
    for s in &b.sections {
        let _ = writeln!(text, "  section    {} {}, {}", s.kind, s.form, bytes(s.bytes));
    }
    let _ = writeln!(
        text,
        "  signature  {}",
        if b.signed { "there, not verified here" } else { "none" }
    );
    text
}

/// An enum's word in docs/format.md.
fn word<T: serde::Serialize>(value: &T) -> String {
    let word = serde_json::to_value(value).ok();
    word.and_then(|w| w.as_str().map(str::to_owned)).unwrap_or_default()
}

fn labels(labels: &[String]) -> String {
    const SHOWN: usize = 10;
    let shown = labels.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match labels.len().checked_sub(SHOWN) {
        Some(more) if more > 0 => format!("{shown} and {more} more"),
        _ => shown,
    }
}

fn outlet(t: &Tensor) -> String {
    let element = t.element.as_deref().unwrap_or("?");
    match &t.shape {
        Some(shape) => format!("{} {element} {}", t.name, axes(shape)),
        None => format!("{} {element}, shape not stated", t.name),
    }
}

fn axes(shape: &[Axis]) -> String {
    let axes: Vec<String> = shape
        .iter()
        .map(|a| match a {
            Axis::Fixed(n) => n.to_string(),
            Axis::Named(name) => name.clone(),
            Axis::Unknown => "?".to_owned(),
        })
        .collect();
    format!("[{}]", axes.join(", "))
}
