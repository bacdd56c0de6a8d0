//! The report as one HTML page: nothing in it comes from elsewhere, and nothing in
//! it runs.

mod escape;
mod plots;
pub mod words;

use std::fmt::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use graft_host::report::{About, Exemplar, Method, TransferReport, Verdict};

use self::escape::Escaped;

const STYLE: &str = include_str!("style.css");
/// What a browser may load for the page: pictures that are in it.
const POLICY: &str = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";

/// The page.
pub fn page(report: &TransferReport, data: &str) -> anyhow::Result<String> {
    let model = Escaped(&report.provenance.model);
    let data = Escaped(data);
    let what = report.about.plural();
    let mut html = String::new();
    let _ = write!(
        html,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <title>What transfer bought: {data} on {model}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <p class=\"quiet\">Transfer report</p>\n<h1>What transfer bought</h1>\n\
         <p><b>{data}</b>: {} classes, {} {what} to learn from, {} held out. The source is <b>{model}</b>.</p>\n\
         <p>{}</p>\n",
        report.labels.len(),
        report.trained,
        report.tested,
        unbroken(&words::summary(report)),
    );
    verdicts(&mut html, report);
    curves(&mut html, report)?;
    forecasts(&mut html, report);
    shown(&mut html, report)?;
    provenance(&mut html, report);
    html += "</body>\n</html>\n";
    Ok(html)
}

fn class(method: Method) -> &'static str {
    match method {
        Method::Scratch => "scratch",
        Method::Frozen => "frozen",
        Method::FineTuned => "fine_tuned",
    }
}

fn verdicts(html: &mut String, report: &TransferReport) {
    if report.benefits.is_empty() {
        return;
    }
    let (one, what) = (one(report.about), report.about.plural());
    *html += "<h2>The three benefits</h2>\n";
    for benefits in &report.benefits {
        let (class, method) = (class(benefits.method), words::capital(benefits.method.words()));
        let _ = write!(
            html,
            "<h3><span class=\"{class}\">{method}</span> against from scratch</h3>\n<ul class=\"verdicts\">\n"
        );
        for said in words::verdicts(benefits, report) {
            let class = match said.verdict {
                Verdict::Helps => "helps",
                Verdict::NoDifferenceSeen => "none",
                Verdict::Hurts => "hurts",
            };
            let _ = writeln!(
                html,
                "<li class=\"{class}\"><b>{}</b>{}</li>",
                said.head,
                unbroken(&said.body)
            );
        }
        *html += "</ul>\n";
    }
    let _ = writeln!(
        html,
        "<p class=\"quiet\">Differences are taken seed by seed and {one} by {one}. An interval joins the \
         spread between {} with the error of a held-out part of {} {what}. A verdict is given where \
         the interval leaves 0 out.</p>",
        counted(report.seeds.len(), "seed"),
        report.tested,
    );
}

fn one(about: About) -> &'static str {
    match about {
        About::Photos => "photo",
        About::Texts => "text",
    }
}

fn curves(html: &mut String, report: &TransferReport) -> anyhow::Result<()> {
    let what = report.about.plural();
    *html += "<h2>Learning curves</h2>\n<ul class=\"legend\">\n";
    for curves in &report.methods {
        let _ = writeln!(
            html,
            "<li class=\"{}\">{}</li>",
            class(curves.method),
            words::capital(curves.method.words())
        );
    }
    *html += "</ul>\n<div class=\"plots\">\n";
    let svg = plots::by_examples(&report.methods, report.baseline_accuracy, report.about)?;
    let beyond = if report.methods.iter().any(|curves| curves.forecast.is_some()) {
        " Beyond the last dots: the forecasts."
    } else {
        ""
    };
    let _ = writeln!(
        html,
        "<figure>{svg}<figcaption>Answered right by {what}, after training. Bands are 95 % intervals; the dashed \
         level is always the same answer ({}).{beyond}</figcaption></figure>",
        percent(report.baseline_accuracy)
    );
    if let Some(svg) = plots::by_epoch(&report.methods, report.baseline_accuracy, report.about)? {
        let frozen = match report.about {
            About::Photos => "a frozen backbone",
            About::Texts => "frozen vectors",
        };
        let _ = writeln!(
            html,
            "<figure>{svg}<figcaption>Answered right by epochs, with all {} {what}; 0 is before the first. A head on \
             {frozen} is solved and has no epochs.</figcaption></figure>",
            report.trained
        );
    }
    let _ = write!(html, "</div>\n<div class=\"scroll\"><table>\n<thead><tr><th>{what}</th>");
    for curves in &report.methods {
        let (class, method) = (class(curves.method), curves.method.words());
        let _ = write!(html, "<th class=\"{class}\">{method}</th><th>95 %</th>");
    }
    *html += "</tr></thead>\n<tbody>\n";
    for (row, size) in report.sizes.iter().enumerate() {
        let _ = write!(html, "<tr><td>{size}</td>");
        for curves in &report.methods {
            if let Some(point) = curves.by_examples.get(row) {
                let [low, high] = point.accuracy.interval.map(|bound| 100.0 * bound);
                let _ = write!(
                    html,
                    "<td>{}</td><td class=\"quiet\">{low:.1} to {high:.1}</td>",
                    percent(point.accuracy.value)
                );
            }
        }
        *html += "</tr>\n";
    }
    *html += "</tbody></table></div>\n";
    Ok(())
}

fn forecasts(html: &mut String, report: &TransferReport) {
    let what = report.about.plural();
    *html += "<h2>What more labels would bring</h2>\n";
    let all: Vec<_> = report
        .methods
        .iter()
        .filter_map(|curves| Some((curves, curves.forecast.as_ref()?)))
        .collect();
    if let Some((_, first)) = all.first() {
        *html += "<div class=\"scroll\"><table>\n<thead><tr><th></th>";
        for at in &first.at {
            let (times, examples) = (at.times, at.examples);
            let _ = write!(html, "<th>{times}× ({examples:.0} {what})</th><th>95 %</th>");
        }
        *html += "</tr></thead>\n<tbody>\n";
        for (curves, forecast) in &all {
            let (class, method) = (class(curves.method), curves.method.words());
            let _ = write!(html, "<tr><td class=\"{class}\">{method}</td>");
            for at in &forecast.at {
                let [low, high] = at.interval.map(|bound| 100.0 * bound);
                let _ = write!(
                    html,
                    "<td>{}</td><td class=\"quiet\">{low:.1} to {high:.1}</td>",
                    percent(at.accuracy)
                );
            }
            *html += "</tr>\n";
        }
        *html += "</tbody></table></div>\n<ul class=\"small\">\n";
        for (curves, forecast) in &all {
            let method = words::capital(curves.method.words());
            let _ = writeln!(
                html,
                "<li>{method}: {}</li>",
                unbroken(&words::law(forecast, report.about))
            );
        }
        *html += "</ul>\n";
    }
    *html += &match !all.is_empty() {
        true => format!(
            "<p class=\"quiet\">Fitted to the mean errors by least squares, the exponent between 0.05 \
             and 2 (Hestness et al. 2017). The intervals are over samples of seeds and of held-out \
             {what}; that errors go on falling by this law is taken for granted.</p>\n"
        ),
        false => "<p>A forecast needs three sizes or more.</p>\n".to_owned(),
    };
}

fn shown(html: &mut String, report: &TransferReport) -> anyhow::Result<()> {
    let (one, what) = (one(report.about), report.about.plural());
    let shown = &report.shown;
    let e = &shown.evaluation;
    let _ = write!(
        html,
        "<h2>One run, closely</h2>\n<p><span class=\"{}\">{}</span>, with all {} {what}, seed {}: \
         {} of {} held-out {what} answered right (95 %: {} to {}). It is shown as the last of the \
         ways to learn that transfer, not as the best: results choose nothing here.</p>\n",
        class(shown.method),
        words::capital(shown.method.words()),
        shown.examples,
        shown.seed,
        percent(e.accuracy),
        e.examples,
        percent(e.accuracy_interval[0]),
        percent(e.accuracy_interval[1]),
    );
    confusion(html, report);
    let _ = write!(
        html,
        "<h3>Classes</h3>\n<div class=\"scroll\"><table>\n<thead><tr><th>class</th>\
              <th>{what}</th><th>precision</th><th>recall</th><th>F1</th></tr></thead>\n<tbody>\n"
    );
    for class in &e.classes {
        let _ = writeln!(
            html,
            "<tr><td class=\"names\">{}</td><td>{}</td><td>{}</td><td>{}</td><td>{:.3}</td></tr>",
            Escaped(&class.label),
            class.examples,
            percent(class.precision),
            percent(class.recall),
            class.f1
        );
    }
    *html += "</tbody></table></div>\n";
    let svg = plots::reliability(&shown.reliability, shown.method)?;
    let calibrated = match shown.method {
        Method::Frozen => format!("calibrated at temperature {:.2}", shown.temperature),
        _ => {
            format!("not calibrated: all {what} were learned from, and none were left to do it by")
        }
    };
    let _ = writeln!(
        html,
        "<h3>Does it know what it knows?</h3>\n<figure>{svg}<figcaption>Confidence against the share \
         that is right; on the dashed line they agree. Larger dots are more answers. Expected \
         calibration error {}, {calibrated}.</figcaption></figure>",
        percent(e.ece)
    );
    let listed = match report.about {
        About::Photos => photos,
        About::Texts => texts,
    };
    let none = format!("No held-out {one} was answered wrong.");
    listed(html, "Surest mistakes", &shown.mistakes, &none);
    listed(html, "Nearest to another answer", &shown.undecided, "There are none.");
    Ok(())
}

fn confusion(html: &mut String, report: &TransferReport) {
    let e = &report.shown.evaluation;
    *html += "<h3>Confusion</h3>\n<div class=\"scroll\"><table class=\"matrix\">\n<thead><tr>\
              <th class=\"label\">is ↓ answered →</th>";
    for class in &e.classes {
        let _ = write!(html, "<th class=\"label\">{}</th>", Escaped(&class.label));
    }
    *html += "</tr></thead>\n<tbody>\n";
    for (class, row) in e.classes.iter().zip(&e.confusion) {
        let _ = write!(html, "<tr><td class=\"label names\">{}</td>", Escaped(&class.label));
        for count in row {
            let share = *count as f64 / class.examples.max(1) as f64;
            let _ = write!(html, "<td style=\"--share:{share:.3}\">{count}</td>");
        }
        *html += "</tr>\n";
    }
    let what = words::capital(report.about.plural());
    let _ = writeln!(
        html,
        "</tbody><caption>{what}. The darker, the larger the share of its row.</caption></table></div>"
    );
}

fn photos(html: &mut String, title: &str, exemplars: &[Exemplar], none: &str) {
    let _ = writeln!(html, "<h3>{title}</h3>");
    if exemplars.is_empty() {
        let _ = writeln!(html, "<p>{none}</p>");
        return;
    }
    *html += "<ul class=\"photos\">\n";
    for photo in exemplars {
        let name = photo.path.file_name().unwrap_or_default().to_string_lossy();
        let path = photo.path.to_string_lossy();
        let (name, path) = (Escaped(&name), Escaped(&path));
        *html += "<li>";
        match &photo.thumbnail {
            Some(jpeg) => {
                let data = STANDARD.encode(jpeg);
                let _ = write!(
                    html,
                    "<img src=\"data:image/jpeg;base64,{data}\" alt=\"{name}\" title=\"{path}\">"
                );
            }
            None => *html += "<span class=\"none\">not shown</span>",
        }
        answered(html, photo);
        let _ = writeln!(html, "<span class=\"quiet\" title=\"{path}\">{name}</span></li>");
    }
    *html += "</ul>\n";
}

/// What was answered, and what is right or would have been next.
fn answered(html: &mut String, one: &Exemplar) {
    let right = one.answer == one.label;
    let _ = write!(
        html,
        "<span{}>{} {}</span>",
        if right { "" } else { " class=\"wrong\"" },
        Escaped(&one.answer),
        percent(one.confidence.into()),
    );
    if right {
        let _ = write!(
            html,
            "<span class=\"quiet\">then {} {}</span>",
            Escaped(&one.runner_up),
            percent(one.runner_up_confidence.into())
        );
    } else {
        let _ = write!(html, "<span>is {}</span>", Escaped(&one.label));
    }
}

fn texts(html: &mut String, title: &str, exemplars: &[Exemplar], none: &str) {
    let _ = writeln!(html, "<h3>{title}</h3>");
    if exemplars.is_empty() {
        let _ = writeln!(html, "<p>{none}</p>");
        return;
    }
    *html += "<ul class=\"texts\">\n";
    for text in exemplars {
        *html += "<li>";
        answered(html, text);
        // A file, or a line of the table.
        let name = text.path.file_name().unwrap_or_default().to_string_lossy();
        let _ = write!(html, "<span class=\"quiet\">{}</span>", Escaped(&name));
        let _ = match &text.text {
            Some(text) => writeln!(html, "<p>{}</p></li>", Escaped(text)),
            None => writeln!(html, "<p class=\"quiet\">not shown</p></li>"),
        };
    }
    *html += "</ul>\n";
}

fn provenance(html: &mut String, report: &TransferReport) {
    let p = &report.provenance;
    *html += "<h2>Provenance</h2>\n<dl>\n";
    let mut row = |name: &str, value: String| {
        let _ = writeln!(html, "<dt>{name}</dt><dd>{value}</dd>");
    };
    row("data", format!("sha256 {}", p.data_sha256));
    row("source", format!("{}, sha256 {}", Escaped(&p.model), p.model_sha256));
    row("its licence", Escaped(&p.model_licence).to_string());
    row("cut at", Escaped(&p.at).to_string());
    let seeds: Vec<String> = report.seeds.iter().map(u64::to_string).collect();
    row("seeds", seeds.join(", "));
    row("heads", format!("linear, strength by cross-validation in {} folds", p.folds));
    if let Some(s) = &p.scratch {
        let network = match s.size {
            Some([width, height]) => format!(
                "{} of {} parameters, photos of {width}×{height}, batch statistics, no augmentation",
                s.architecture, s.parameters
            ),
            None => format!(
                "vectors that begin with numbers of chance, as long as the source's, for the words of the texts learned from; with the head up to {} parameters",
                s.parameters
            ),
        };
        row(
            "from scratch",
            format!(
                "{network}; {} epochs of batches of about {}, AdamW at {}",
                s.epochs, s.batch, s.rate
            ),
        );
    }
    for curves in &report.methods {
        row(
            curves.method.words(),
            format!("{:.0} s for {} runs", curves.seconds, report.sizes.len() * report.seeds.len()),
        );
    }
    row("engine", format!("ONNX Runtime {}, {}", Escaped(&p.onnx_runtime), Escaped(p.provider)));
    row("processor", Escaped(&p.cpu).to_string());
    row("graft", Escaped(p.graft).to_string());
    if !report.skipped_files.is_empty() {
        row("skipped", counted(report.skipped_files.len(), "file"));
    }
    *html += "</dl>\n";
    if let Some(recipe) = &p.fine_tuning {
        let _ = writeln!(
            html,
            "<details><summary>Recipe of fine-tuning</summary>\n<p class=\"quiet\">As the tuning took it, but for the \
             seed, which is each run's own, and the shares for stopping and calibrating: all {} were \
             learned from, to the last epoch.</p>\n<pre>{}</pre></details>",
            report.about.plural(),
            Escaped(recipe)
        );
    }
}

/// That a line does not end before the sign.
fn percent(share: f64) -> String {
    unbroken(&crate::text::percent(share))
}

fn unbroken(text: &str) -> String {
    text.replace(" %", "\u{a0}%")
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
