//! Results as a person reads them.

use std::fmt::Write;

use graft_host::Skipped;
use graft_host::train::Evaluation;
use graft_spec::Input;

use crate::cmd;

pub mod bench;
pub mod cuts;
pub mod develop;
pub mod inspect;
pub mod models;
pub mod next_word;
pub mod rank;
pub mod report;
pub mod train;
pub mod words;

/// `14.0 MB`: powers of 1000, as disks and downloads are counted.
pub fn bytes(n: u64) -> String {
    let (value, unit) = match n as f64 {
        n if n < 1e3 => return format!("{n} B"),
        n if n < 999.95e3 => (n / 1e3, "kB"),
        n if n < 999.95e6 => (n / 1e6, "MB"),
        n => (n / 1e9, "GB"),
    };
    format!("{value:.1} {unit}")
}

/// `3.4 M`.
pub fn count(n: u64) -> String {
    let (value, unit) = match n as f64 {
        n if n < 1e4 => return n.to_string(),
        n if n < 999.95e3 => (n / 1e3, "k"),
        n if n < 999.95e6 => (n / 1e6, "M"),
        n => (n / 1e9, "G"),
    };
    format!("{value:.1} {unit}")
}

pub fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// Rows of cells under a header; columns of numbers to the right, others left.
pub fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let columns = header.len();
    let width = |column: usize| {
        let cells = rows.iter().map(|r| r[column].chars().count());
        cells.chain([header[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let is_number = |cell: &str| cell.starts_with(|c: char| c.is_ascii_digit() || c == '-');
    let numbers: Vec<bool> = (0..columns)
        .map(|c| c > 0 && rows.iter().all(|r| r[c].is_empty() || is_number(&r[c])))
        .collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut line = String::from(" ");
        for (column, cell) in cells.enumerate() {
            let pad = widths[column] - cell.chars().count();
            let (before, after) = if numbers[column] { (pad, 0) } else { (0, pad) };
            let _ = write!(line, " {:before$}{cell}{:after$} ", "", "");
        }
        format!("{}\n", line.trim_end())
    };
    let mut text = line(&mut header.iter().copied());
    for row in rows {
        text += &line(&mut row.iter().map(String::as_str));
    }
    text
}

/// What examples are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Photos,
    Texts,
}

impl What {
    pub fn of(input: &Input) -> What {
        match input {
            Input::Image(_) => What::Photos,
            Input::Words(_) | Input::Tokens(_) => What::Texts,
        }
    }

    pub fn one(self) -> &'static str {
        match self {
            What::Photos => "photo",
            What::Texts => "text",
        }
    }

    pub fn plural(self) -> &'static str {
        match self {
            What::Photos => "photos",
            What::Texts => "texts",
        }
    }
}

/// The part that `train` and `evaluate` share.
pub fn evaluation(e: &Evaluation, what: What) -> String {
    let mut text = String::new();
    let [low, high] = e.accuracy_interval;
    let _ = writeln!(
        text,
        "  accuracy            {}   (95 % interval {} to {})",
        percent(e.accuracy),
        percent(low),
        percent(high)
    );
    let _ = writeln!(
        text,
        "  baseline            {}   (always {:?})",
        percent(e.baseline_accuracy),
        e.baseline_label
    );
    let _ = writeln!(text, "  balanced accuracy   {}", percent(e.balanced_accuracy));
    let _ = writeln!(text, "  F1 (macro)          {}", percent(e.f1));
    let _ = writeln!(
        text,
        "  calibration error   {}   ({} before temperature scaling)",
        percent(e.ece),
        percent(e.ece_uncalibrated)
    );
    let _ = write!(text, "  answered            {}", percent(e.answered));
    let _ = match e.answered_accuracy {
        Some(_) if e.answered == 1.0 => writeln!(text),
        Some(accuracy) => {
            writeln!(text, "   ({} of them right; the others \"unknown\")", percent(accuracy))
        }
        None => writeln!(text, "   (all \"unknown\")"),
    };
    text.push('\n');
    let rows: Vec<Vec<String>> = e
        .classes
        .iter()
        .map(|c| {
            vec![
                c.label.clone(),
                c.examples.to_string(),
                percent(c.precision),
                percent(c.recall),
                percent(c.f1),
            ]
        })
        .collect();
    text += &table(&["class", what.plural(), "precision", "recall", "F1"], &rows);
    text.push('\n');
    text += &confusion(e);
    text
}

/// More columns than this don't fit a terminal.
const CONFUSION_CLASSES: usize = 12;

fn confusion(e: &Evaluation) -> String {
    if e.classes.len() > CONFUSION_CLASSES {
        return format!("  (confusion matrix of {} classes: see --json)\n", e.classes.len());
    }
    let mut header = vec!["is \\ answered"];
    header.extend(e.classes.iter().map(|c| c.label.as_str()));
    let rows: Vec<Vec<String>> = e
        .classes
        .iter()
        .zip(&e.confusion)
        .map(|(class, row)| {
            let cells = row.iter().map(usize::to_string);
            [class.label.clone()].into_iter().chain(cells).collect()
        })
        .collect();
    table(&header, &rows)
}

pub fn evaluate(r: &cmd::evaluate::Report) -> String {
    let split = r.split.map_or(String::new(), |s| format!(", split {s}"));
    let mut text =
        format!("\n{} on {} {}{split}\n\n", r.bundle.name, r.evaluation.examples, r.what.plural());
    text += &evaluation(&r.evaluation, r.what);
    text += &skipped_of(&r.skipped_files, r.what);
    if let Some(least) = r.at_least {
        let verdict = if r.passed { "reached" } else { "missed" };
        let _ = writeln!(text, "\n  at least {} was asked for: {verdict}", percent(least));
    }
    text
}

/// More files than this are listed in the JSON only.
const SKIPPED_LISTED: usize = 20;

pub fn skipped(files: &[Skipped]) -> String {
    skipped_of(files, What::Photos)
}

pub fn skipped_of(files: &[Skipped], what: What) -> String {
    let one = match what {
        What::Photos => "file",
        What::Texts => "text",
    };
    let mut text = match files.len() {
        0 => return String::new(),
        1 => format!("\n  1 {one} could not be used and was skipped:\n"),
        n => format!("\n  {n} {one}s could not be used and were skipped:\n"),
    };
    for file in files.iter().take(SKIPPED_LISTED) {
        let _ = writeln!(text, "    {}: {}", file.path.display(), file.reason);
    }
    if files.len() > SKIPPED_LISTED {
        let _ = writeln!(text, "    and {} more, in --json", files.len() - SKIPPED_LISTED);
    }
    text
}

pub fn predict(r: &cmd::predict::Report) -> String {
    let mut text = String::new();
    for p in &r.predictions {
        let answer = p.answer.as_deref().unwrap_or("unknown");
        let top: Vec<String> = p
            .top
            .iter()
            .map(|t| format!("{} {}", t.label, percent(t.probability.into())))
            .collect();
        let top = if top.is_empty() { String::new() } else { format!("   ({})", top.join(", ")) };
        let subject = match (&p.path, &p.text) {
            (Some(path), _) => path.display().to_string(),
            (None, text) => shortened(text.as_deref().unwrap_or_default()),
        };
        let _ = writeln!(text, "{subject}: {answer}{top}");
    }
    for generated in r.generated.iter().flatten() {
        let _ = writeln!(text, "{generated}");
    }
    text += &skipped(&r.skipped_files);
    text
}

/// As much of a text as tells it from others, in one line.
fn shortened(text: &str) -> String {
    let line: Vec<&str> = text.split_whitespace().collect();
    let line = line.join(" ");
    match line.char_indices().nth(SHOWN_OF_A_TEXT) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

const SHOWN_OF_A_TEXT: usize = 60;

pub fn compare(r: &cmd::compare::Report) -> String {
    let c = &r.comparison;
    let mut text = format!(
        "\n{}: the same {} {} in two engines\n\n",
        r.bundle.name,
        c.examples,
        r.what.plural()
    );
    let _ = writeln!(
        text,
        "  largest difference   {:.1e} of a probability, {:.1e} of a logit (tolerance {:.0e})",
        c.max_abs_diff, c.max_abs_diff_logits, c.tolerance
    );
    let _ = writeln!(text, "  different answers    {} (and {} ties)", c.disagreements, c.ties);
    text.push('\n');
    let ms = |v: f64| match r.what {
        What::Photos => format!("{v:.1} ms"),
        What::Texts => format!("{v:.3} ms"),
    };
    let row = |name: &str, l: &graft_host::compare::Latency| {
        vec![format!("{name} ({})", l.version), ms(l.median_ms), ms(l.p95_ms)]
    };
    let (one, preparing) = match r.what {
        What::Photos => ("one photo, one thread", "decoding, resizing"),
        What::Texts => ("one text, one thread", "looking words up"),
    };
    text += &table(
        &[one, "median", "95th percentile"],
        &[
            row("ONNX Runtime", &c.onnxruntime),
            row("device engine", &c.device),
            vec![preparing.into(), ms(c.preparation_median_ms), String::new()],
        ],
    );
    for d in c.disagreeing.iter().take(10) {
        let word = |answer: &Option<String>| answer.clone().unwrap_or("unknown".to_owned());
        let _ = writeln!(
            text,
            "  {}: {} in ONNX Runtime, {} on the device (margin {:.1e})",
            d.path.display(),
            word(&d.onnxruntime),
            word(&d.device),
            d.margin
        );
    }
    text += &skipped_of(&c.skipped_files, r.what);
    let verdict = match (c.passed, c.disagreements) {
        (true, _) => "the device gives the host's answers".to_owned(),
        (false, 0) => format!("PROBABILITIES DIFFER by more than {:.0e}", c.tolerance),
        (false, _) => "THE DEVICE GIVES OTHER ANSWERS".to_owned(),
    };
    let _ = writeln!(text, "\n  {verdict}");
    text
}

pub fn export(r: &cmd::export::Report) -> String {
    let mut text = String::new();
    let size = |file: &cmd::export::FileFacts| bytes(file.bytes as u64);
    if let Some(onnx) = &r.onnx {
        let outputs = r.outputs.join(", ");
        let path = onnx.path.display();
        let _ = writeln!(text, "wrote {path}, {}, with outputs {outputs}", size(onnx));
    }
    if let Some(small) = &r.onnx_bundle {
        let path = small.path.display();
        let _ = writeln!(text, "wrote {path}, {}, the ONNX form alone", size(small));
        if r.was_signed {
            let _ = writeln!(text, "it is not signed, {} is", r.bundle.path.display());
        }
    }
    text
}

pub fn cache(r: &cmd::cache::Report) -> String {
    if r.cleared_bytes > 0 {
        return format!("removed {} from {}\n", bytes(r.cleared_bytes), r.path.display());
    }
    format!(
        "{}: {} in {} segments of {} backbones and preparations; limit {}\n",
        r.path.display(),
        bytes(r.bytes),
        r.segments,
        r.spaces,
        bytes(r.limit_bytes)
    )
}

pub fn doctor(r: &cmd::doctor::Report) -> String {
    use cmd::doctor::Status;
    let mut text = String::new();
    let width = r.checks.iter().map(|c| c.name.len()).max().unwrap_or(0);
    for c in &r.checks {
        let mark = match (c.status, c.needed) {
            (Status::Ok, _) => "ok     ",
            (Status::Missing, true) => "MISSING",
            (Status::Broken, true) => "BROKEN ",
            (Status::Missing | Status::Broken, false) => "-      ",
        };
        let found = c.found.as_deref().unwrap_or("not found");
        let _ = writeln!(text, "  {mark}  {:width$}  {found}", c.name);
        if let Some(cure) = &c.cure {
            let what = if c.needed { "needed: " } else { "if you want it: " };
            let _ = writeln!(text, "           {:width$}  {what}{cure}", "");
        }
    }
    let verdict = if r.ok {
        "train, compare and predict can run"
    } else {
        "train, compare and predict CANNOT run: see what is needed above"
    };
    let _ = writeln!(text, "\n{verdict}");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_at_a_glance() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(13_992_275), "14.0 MB");
        assert_eq!(count(9_999), "9999");
        assert_eq!(count(999_950), "1.0 M");
        assert_eq!(count(300_774_272), "300.8 M");
        assert_eq!(percent(0.83536), "83.5 %");
    }

    #[test]
    fn numbers_stand_to_the_right() {
        let rows =
            [vec!["ab".into(), "7".into(), "x".into()], vec!["c".into(), "10".into(), "yz".into()]];
        assert_eq!(
            table(&["name", "n", "what"], &rows),
            "  name   n  what\n  ab     7  x\n  c     10  yz\n"
        );
    }
}
