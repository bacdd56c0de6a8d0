//! Libraries don't print, exit or read the environment: what they found leaves
//! as values and events, and what they need comes as arguments.

use std::fs;
use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::{assert_none, libraries, root, shown};

/// The one file of a library that asks the environment: where user data and the cache live.
const MAY_READ_ENVIRONMENT: &str = "crates/host/src/locations.rs";

const PRINTERS: &[&str] = &["print", "println", "eprint", "eprintln", "dbg"];
const ENDINGS: &[&str] = &["exit", "abort"];
const QUESTIONS: &[&str] = &[
    "args",
    "args_os",
    "current_dir",
    "current_exe",
    "home_dir",
    "remove_var",
    "set_current_dir",
    "set_var",
    "temp_dir",
    "var",
    "var_os",
    "vars",
    "vars_os",
];

#[test]
fn libraries_neither_print_nor_exit_nor_read_the_environment() {
    let mut found = Vec::new();
    for (_, sources) in libraries() {
        for path in sources.iter().filter(|path| !is_test(path)) {
            let text = fs::read_to_string(path).expect("a source can be read");
            let tokens = text.parse().unwrap_or_else(|error| panic!("{}: {error}", shown(path)));
            let mut deeds = Vec::new();
            look(tokens, &mut deeds);
            let may_ask = *path == root().join(MAY_READ_ENVIRONMENT);
            deeds.retain(|deed| !(may_ask && deed.what.starts_with("env::")));
            found.extend(
                deeds.iter().map(|deed| format!("{}:{}: {}", shown(path), deed.line, deed.what)),
            );
        }
    }
    assert_none(found, "a library prints, exits or reads the environment");
}

#[test]
fn the_search_sees_code_and_not_words() {
    let check = |source: &str, expected: &[&str]| {
        let mut deeds = Vec::new();
        look(source.parse().expect("valid Rust"), &mut deeds);
        let found: Vec<_> = deeds.iter().map(|deed| deed.what.as_str()).collect();
        assert_eq!(found, expected, "{source}");
    };
    check("fn f() { println!(\"x\") }", &["println!"]);
    check("fn f() { std::process::exit(2) }", &["process::exit"]);
    check("fn f() { g(|| match std::env::var_os(\"X\") { _ => 1 }) }", &["env::var_os"]);
    check("use std::env::{self, var};", &["env::var"]);
    check("use std::{env::temp_dir, io};", &["env::temp_dir"]);
    check("macro_rules! m { () => { eprintln!() } }", &["eprintln!"]);
    check("/// println!(\"in a doc\")\nfn f() {} // std::process::exit(1)", &[]);
    check("const NAME: &str = env!(\"CARGO_PKG_NAME\");", &[]);
    check("fn f() { write!(out, \"println!()\") }", &[]);
    check("#[cfg(test)] mod tests { fn f() { println!() } }\nfn g() { dbg!(1) }", &["dbg!"]);
    check("#[cfg(test)] mod tests;\nfn g() { dbg!(1) }", &["dbg!"]);
}

struct Deed {
    what: String,
    line: usize,
}

fn is_test(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "tests" || part.as_os_str() == "tests.rs")
}

/// Walks tokens, in which comments don't occur and documentation is a string.
fn look(tokens: TokenStream, deeds: &mut Vec<Deed>) {
    let tokens: Vec<_> = tokens.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        if is_test_attribute(&tokens[at..]) {
            at += 2;
            // The item that it guards ends with its body or a semicolon.
            while at < tokens.len() && !ends_item(&tokens[at]) {
                at += 1;
            }
        } else {
            match &tokens[at] {
                TokenTree::Ident(name) => name_deeds(&name.to_string(), &tokens[at + 1..], deeds),
                TokenTree::Group(group) => look(group.stream(), deeds),
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
        at += 1;
    }
}

fn is_test_attribute(tokens: &[TokenTree]) -> bool {
    matches!(tokens, [TokenTree::Punct(hash), TokenTree::Group(group), ..]
        if hash.as_char() == '#' && group.stream().to_string().replace(' ', "") == "cfg(test)")
}

fn ends_item(token: &TokenTree) -> bool {
    match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        TokenTree::Punct(punct) => punct.as_char() == ';',
        TokenTree::Ident(_) | TokenTree::Literal(_) => false,
    }
}

fn name_deeds(name: &str, rest: &[TokenTree], deeds: &mut Vec<Deed>) {
    match rest {
        [TokenTree::Punct(bang), ..] if bang.as_char() == '!' && PRINTERS.contains(&name) => {
            deeds.push(Deed { what: format!("{name}!"), line: bang.span().start().line });
        }
        [TokenTree::Punct(first), TokenTree::Punct(second), member, ..]
            if first.as_char() == ':' && second.as_char() == ':' =>
        {
            let forbidden = match name {
                "env" => QUESTIONS,
                "process" => ENDINGS,
                _ => return,
            };
            let members = match member {
                TokenTree::Group(group) => group.stream().into_iter().collect(),
                single => vec![single.clone()],
            };
            for member in members {
                let member_name = member.to_string();
                if forbidden.contains(&member_name.as_str()) {
                    deeds.push(Deed {
                        what: format!("{name}::{member_name}"),
                        line: member.span().start().line,
                    });
                }
            }
        }
        _ => {}
    }
}
