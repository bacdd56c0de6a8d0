//! Asks a person at a terminal for what a graph does not show. Nothing is taken
//! silently: every question waits for an answer, and Enter alone is none.

use std::io::{BufRead, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use graft_host::catalogue::{InputSpec, Seen};
use graft_host::stated::{Missing, StatedError, StatedInput};
use graft_spec::{Colour, Layout};

use crate::args::{Context, Interrupted};
use crate::text;

/// Who answers, line by line.
pub struct Person<'a> {
    answers: Box<dyn BufRead>,
    questions: Box<dyn Write>,
    stop: &'a AtomicBool,
}

/// The person at the terminal, if there is one.
pub fn somebody<'a>(context: &'a Context<'_>) -> Option<Person<'a>> {
    let there = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    there.then(|| Person {
        answers: Box::new(std::io::stdin().lock()),
        questions: Box::new(std::io::stderr()),
        stop: &context.stop,
    })
}

/// How networks commonly want their pixels.
struct Preset {
    words: &'static str,
    colour: Colour,
    scale: f32,
    mean: &'static [f32],
    std: &'static [f32],
}

const COLOUR_PRESETS: [Preset; 6] = [
    Preset {
        words: "RGB, 0 to 1, ImageNet's mean and deviation (torchvision, most of timm)",
        colour: Colour::Rgb,
        scale: 255.0,
        mean: &[0.485, 0.456, 0.406],
        std: &[0.229, 0.224, 0.225],
    },
    Preset { words: "RGB, 0 to 1", colour: Colour::Rgb, scale: 255.0, mean: &[0.0], std: &[1.0] },
    Preset {
        words: "RGB, -1 to 1 (Keras MobileNet, Inception, Xception)",
        colour: Colour::Rgb,
        scale: 127.5,
        mean: &[1.0],
        std: &[1.0],
    },
    Preset {
        words: "RGB, 0 to 255: the graph prepares them itself",
        colour: Colour::Rgb,
        scale: 1.0,
        mean: &[0.0],
        std: &[1.0],
    },
    Preset {
        words: "BGR, 0 to 255, minus 104 117 123 (Caffe)",
        colour: Colour::Bgr,
        scale: 1.0,
        mean: &[104.0, 117.0, 123.0],
        std: &[1.0],
    },
    Preset {
        words: "BGR, 0 to 255, minus 103.939 116.779 123.68 (Keras VGG and ResNet)",
        colour: Colour::Bgr,
        scale: 1.0,
        mean: &[103.939, 116.779, 123.68],
        std: &[1.0],
    },
];

const GREY_PRESETS: [Preset; 3] = [
    Preset { words: "0 to 1", colour: Colour::Grey, scale: 255.0, mean: &[0.0], std: &[1.0] },
    Preset { words: "-1 to 1", colour: Colour::Grey, scale: 127.5, mean: &[1.0], std: &[1.0] },
    Preset { words: "0 to 255", colour: Colour::Grey, scale: 1.0, mean: &[0.0], std: &[1.0] },
];

/// Says what the graph shows, and asks until the input is whole.
pub fn input(
    person: &mut Person<'_>,
    seen: &Seen,
    mut stated: StatedInput,
    cut_open: bool,
) -> anyhow::Result<InputSpec> {
    person.say(&text::models::seen(seen, cut_open))?;
    loop {
        let missing = match seen.complete(&stated) {
            Ok(input) => return Ok(input),
            Err(StatedError::Missing { missing, .. }) => missing,
            Err(error) => return Err(error.into()),
        };
        match missing.first() {
            Some(Missing::Tensor) => {
                let names: Vec<&str> = seen.inputs.iter().map(|i| i.name.as_str()).collect();
                let chosen = person.choose("Which input takes the picture?", &names)?;
                stated.tensor = names.get(chosen).map(|&name| name.to_owned());
            }
            Some(Missing::Layout) => {
                let words = ["channels, rows, columns (nchw)", "rows, columns, channels (nhwc)"];
                let layouts = [Layout::Nchw, Layout::Nhwc];
                let chosen = person.choose("Order of its axes after the batch?", &words)?;
                stated.layout = layouts.get(chosen).copied();
            }
            Some(Missing::Size) => {
                let size = "Width and height in pixels, such as 224x224";
                let (width, height) = person.ask(size, crate::input_args::size)?;
                (stated.width, stated.height) = (Some(width), Some(height));
            }
            Some(_) => pixels(person, &mut stated, &missing)?,
            // `complete` names what is missing, so this doesn't come round again.
            None => stated.fit = stated.fit.or(Some(graft_spec::Fit::Stretch)),
        }
    }
}

/// Colour, scale, mean and deviation belong together: one question, unless a part
/// of the answer was stated.
fn pixels(
    person: &mut Person<'_>,
    stated: &mut StatedInput,
    missing: &[Missing],
) -> anyhow::Result<()> {
    let grey = !missing.contains(&Missing::Colour) && stated.colour.is_none();
    let partly = stated.scale.is_some() || stated.mean.is_some() || stated.std.is_some();
    if !partly && (grey || stated.colour.is_none()) {
        let presets: &[Preset] = if grey { &GREY_PRESETS } else { &COLOUR_PRESETS };
        let mut words: Vec<&str> = presets.iter().map(|p| p.words).collect();
        words.push("something else");
        let chosen = person.choose("How was the network given its pixels in training?", &words)?;
        if let Some(preset) = presets.get(chosen) {
            stated.colour = Some(preset.colour);
            stated.scale = Some(preset.scale);
            stated.mean = Some(preset.mean.to_vec());
            stated.std = Some(preset.std.to_vec());
            return Ok(());
        }
    }
    if missing.contains(&Missing::Colour) {
        let colours = [Colour::Rgb, Colour::Bgr, Colour::Grey];
        let chosen = person.choose("Order of the channels?", &["RGB", "BGR", "one, grey"])?;
        stated.colour = colours.get(chosen).copied();
    }
    if missing.contains(&Missing::Scale) {
        let scale = "Divisor of the pixel: 255 gives 0 to 1, 1 leaves 0 to 255";
        stated.scale = Some(person.ask(scale, number)?);
    }
    if missing.contains(&Missing::Mean) {
        let mean = "Subtracted after that: one number, or one a channel with commas, 0 for nothing";
        stated.mean = Some(person.ask(mean, numbers)?);
    }
    if missing.contains(&Missing::Std) {
        let std = "Divisor after that: one number, or one a channel with commas, 1 for nothing";
        stated.std = Some(person.ask(std, numbers)?);
    }
    Ok(())
}

fn number(text: &str) -> Result<f32, String> {
    text.parse().map_err(|_| "must be a number".to_owned())
}

fn numbers(text: &str) -> Result<Vec<f32>, String> {
    text.split(',').map(|part| number(part.trim())).collect()
}

impl Person<'_> {
    pub fn licence(&mut self, stated: Option<String>) -> anyhow::Result<String> {
        match stated {
            Some(licence) => Ok(licence),
            None => {
                let question =
                    "Licence of the weights: an SPDX expression such as Apache-2.0, or a sentence";
                self.ask(question, |text| Ok(text.to_owned()))
            }
        }
    }

    fn say(&mut self, text: &str) -> anyhow::Result<()> {
        self.questions.write_all(text.as_bytes())?;
        Ok(self.questions.flush()?)
    }

    fn choose<S: AsRef<str>>(&mut self, question: &str, choices: &[S]) -> anyhow::Result<usize> {
        let mut text = format!("{question}\n");
        for (i, choice) in choices.iter().enumerate() {
            text += &format!("  {}  {}\n", i + 1, choice.as_ref());
        }
        self.say(&text)?;
        let last = choices.len();
        self.ask(&format!("1 to {last}"), |answer| match answer.parse::<usize>() {
            Ok(n) if (1..=last).contains(&n) => Ok(n - 1),
            _ => Err(format!("must be a number from 1 to {last}")),
        })
    }

    /// Until there is an answer that will do.
    fn ask<T>(
        &mut self,
        question: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> anyhow::Result<T> {
        loop {
            self.say(&format!("{question}: "))?;
            let line = self.line()?;
            let answer = line.trim();
            if answer.is_empty() {
                continue;
            }
            match parse(answer) {
                Ok(value) => return Ok(value),
                Err(problem) => self.say(&format!("{answer:?} {problem}\n"))?,
            }
        }
    }

    fn line(&mut self) -> anyhow::Result<String> {
        wait(self.stop)?;
        let mut line = String::new();
        match self.answers.read_line(&mut line)? {
            0 => {
                anyhow::bail!("no answer, and nothing was added; everything can be stated in flags")
            }
            _ => Ok(line),
        }
    }
}

/// Until there is something to read: reading itself would not notice Ctrl-C.
fn wait(stop: &AtomicBool) -> anyhow::Result<()> {
    let mut input = libc::pollfd { fd: libc::STDIN_FILENO, events: libc::POLLIN, revents: 0 };
    loop {
        if stop.load(Ordering::Relaxed) {
            return Err(Interrupted.into());
        }
        // SAFETY: one descriptor, on the stack, for the length of the call.
        if unsafe { libc::poll(&raw mut input, 1, 100) } > 0 {
            return Ok(());
        }
    }
}
