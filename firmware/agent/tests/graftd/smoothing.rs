//! One steady answer out of many.

use crate::*;

/// Shows a known picture for each `K` and an unknown one for each `U`, and gives
/// the steady answers in the same letters.
fn steady(shown: &str, settings: &str) -> String {
    let (known, label, unknown) = known_and_unknown();
    let folder = tempfile::tempdir().unwrap();
    let bytes: Vec<u8> = shown
        .chars()
        .flat_map(|letter| if letter == 'K' { known.rgb() } else { unknown.rgb() })
        .copied()
        .collect();
    let frames = write_file(folder.path(), "frames", &bytes);
    let config = write_file(folder.path(), "g.toml", format!("[smooth]\n{settings}").as_bytes());
    let source = format!("replay:{frames}");
    let arguments =
        ["--source", &source, "--format", "rgb", "--size", "32x32", "--config", &config];
    let answers = Graftd::start(&arguments).ends_well();
    let mut last = None;
    let letter = |answer: &Value| {
        let now = answer["stable"].as_str();
        assert_eq!(answer["changed"], last.as_deref() != now, "{answer}");
        last = now.map(str::to_owned);
        match now {
            None => 'U',
            Some(text) => {
                assert_eq!(text, label);
                'K'
            }
        }
    };
    answers.iter().map(letter).collect()
}

#[test]
fn the_steady_answer_is_by_hand() {
    let check = |settings: &str, shown: &str, expected: &str| {
        assert_eq!(steady(shown, settings), expected, "{settings}");
    };
    check("", "KUKKUU", "KUKKUU");
    check("hold = 3\n", "KKKUUKUUUKKK", "UUKKKKKKUUUK");
    // Of three; between equals the steady one stays.
    check("method = \"majority\"\nwindow = 3\n", "KUKUUUKKK", "KKKUUUUKK");
    // Two of three are enough to enter; all must be against it to leave.
    check(
        "method = \"majority\"\nwindow = 3\nenter = 0.6\nleave = 0.3\n",
        "UUKKUUKUUU",
        "UUUKKKKKKU",
    );
}
