//! Links between the project's pages lead somewhere: to a file or folder of the
//! checkout, and to a heading where they name one.

use std::fs;
use std::path::Path;

use crate::{assert_none, files, root, shown};

#[test]
fn relative_links_lead_somewhere() {
    let mut dead = Vec::new();
    for page in files(root(), "md") {
        let text = fs::read_to_string(&page).expect("a page can be read");
        for (line, target) in links(&text) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (file, heading) = target.split_once('#').unwrap_or((&target, ""));
            let folder = page.parent().expect("a page lies in a folder");
            let path = if file.is_empty() { page.clone() } else { folder.join(file) };
            if !path.exists() || !heading.is_empty() && !has_heading(&path, heading) {
                dead.push(format!("{}:{line}: {target}", shown(&page)));
            }
        }
    }
    assert_none(dead, "a link leads nowhere");
}

/// ARCHITECTURE.md and README.md speak of files in code style too.
#[test]
fn paths_in_code_style_exist() {
    let mut dead = Vec::new();
    for page in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"].map(|name| root().join(name)) {
        let text =
            fs::read_to_string(&page).unwrap_or_else(|error| panic!("{}: {error}", shown(&page)));
        for (number, line) in prose(&text) {
            for path in line.split('`').skip(1).step_by(2) {
                let of_ours = ["crates/", "docs/", "models/", "tests/"]
                    .iter()
                    .any(|start| path.starts_with(start));
                let literal = !path.contains(['*', '<', '{', ' ', '…']);
                if of_ours && literal && !root().join(path).exists() {
                    dead.push(format!("{}:{number}: {path}", shown(&page)));
                }
            }
        }
    }
    assert_none(dead, "a page speaks of a file that does not exist");
}

#[test]
fn links_and_headings_are_read_as_a_browser_would() {
    let text =
        "see [a](b.md#c) and [d]( e.md )\n```\n[not](a-link)\n```\n`[nor](this)` ![i](p.svg \"t\")";
    let found: Vec<_> =
        links(text).into_iter().map(|(line, target)| format!("{line} {target}")).collect();
    assert_eq!(found, ["1 b.md#c", "1 e.md", "5 p.svg"]);
    assert_eq!(anchor("`MANI`: the manifest"), "mani-the-manifest");
    assert_eq!(anchor("Preparing a picture"), "preparing-a-picture");
}

/// The targets of inline links, with their lines.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        // What stands between backticks is code.
        let plain: String = line.split('`').step_by(2).collect::<Vec<_>>().join(" ");
        for rest in plain.split("](").skip(1) {
            if let Some((target, _)) = rest.split_once(')')
                && let Some(target) = target.split_whitespace().next()
            {
                found.push((number, target.to_owned()));
            }
        }
    }
    found
}

/// The numbered lines outside fenced code.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(number, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        (!fenced && !fence).then_some((number + 1, line))
    })
}

fn has_heading(page: &Path, heading: &str) -> bool {
    let text = fs::read_to_string(page).expect("a page can be read");
    prose(&text).any(|(_, line)| {
        line.starts_with('#') && anchor(line.trim_start_matches('#').trim()) == heading
    })
}

/// What a heading is called in a link: lower case, hyphens for spaces, punctuation dropped.
fn anchor(heading: &str) -> String {
    heading
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() })
        .collect()
}
