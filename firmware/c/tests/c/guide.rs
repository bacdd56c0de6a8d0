//! The program of docs/c.md, as it stands there.

use std::fs::{self, File};
use std::process::Command;

use graft_input::{PixelFormat, synthetic};

use crate::programs::{Linking, Machine, run};
use crate::{bundles, firmware, install};

#[test]
fn the_guides_program_answers() {
    let guide = fs::read_to_string(firmware("../docs/c.md")).unwrap();
    let (_, program) = guide.split_once("\n```c\n").expect("the guide has a program");
    let (program, _) = program.split_once("\n```\n").expect("the program ends");
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("firmware.c");
    fs::write(&source, program).unwrap();
    let package = (install::host(), Linking::Shared);
    let program = Machine::host().compile(source.to_str().unwrap(), package, &[], folder.path());

    // Two frames and a part of a third.
    let nv12 = &synthetic(5, 640, 480).rgb().to_vec()[..640 * 720];
    let frames = folder.path().join("frames");
    fs::write(&frames, [nv12, nv12, &nv12[1..]].concat()).unwrap();
    let said = run(Command::new(program).arg(bundles::tiny()).stdin(File::open(&frames).unwrap()));
    let expected = bundles::expected(&bundles::tiny(), PixelFormat::Nv12, (640, 480), 640, nv12);
    let line = match expected.decision.as_str() {
        "unknown" => "unknown\n".to_owned(),
        label => {
            let largest = expected.probabilities.iter().copied().fold(0.0, f32::max);
            format!("{label} {largest:.3}\n")
        }
    };
    assert_eq!(said, line.repeat(2));
}

/// Expected: ONNX Runtime, printed by the script that made the bundle.
#[test]
fn the_guides_suggestions_are_the_likeliest_words() {
    let guide = fs::read_to_string(firmware("../docs/c.md")).unwrap();
    let function = |start: &str| {
        let from = guide.find(start).expect("the guide has it");
        let to = from + guide[from..].find("\n}\n").expect("it ends") + 3;
        &guide[from..to]
    };
    let program = format!(
        "#include <stdio.h>\n#include <string.h>\n#include <graft.h>\n{}{}\
         int main(int argc, char **argv) {{\n  graft_model *model = NULL;\n\
         return argc != 3 || graft_open_file(argv[1], NULL, &model) || graft_verify(model) ||\n\
         suggest(model, argv[2]);\n}}\n",
        function("static int fail("),
        function("static int suggest("),
    );
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("suggest.c");
    fs::write(&source, program).unwrap();
    let package = (install::host(), Linking::Shared);
    let program = Machine::host().compile(source.to_str().unwrap(), package, &[], folder.path());
    let said = |text: &str| run(Command::new(&program).arg(bundles::next_word()).arg(text));
    assert_eq!(said("The cat"), "wins\neats\nsees\n");
    assert_eq!(said("the cat doesn't: it eats"), "some\na\nthis\n");
    assert_eq!(said("xyzzy"), "");
}
