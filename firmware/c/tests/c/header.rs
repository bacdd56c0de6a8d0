//! `firmware/include/graft.h` says what the library does: it is made from its
//! sources.

use std::fs;

use cbindgen::{Builder, Config, DocumentationStyle, Language, SortKey, Style};

use crate::firmware;

/// In the order in which the header has their items.
const SOURCES: [&str; 5] = ["status.rs", "frame.rs", "answer.rs", "model.rs", "functions.rs"];

const PREFACE: &str = "\
/* libgraft_runtime: opens a graft bundle, checks that it answers here as it did
 * where it was made, and says what is in pictures or texts.
 *
 *     graft_model *model = NULL;
 *     graft_frame frame = GRAFT_FRAME_INIT;
 *     graft_answer answer = GRAFT_ANSWER_INIT;
 *     if (graft_open_file(\"solar.graft\", NULL, &model) || graft_verify(model)) {
 *       return complain(graft_error());
 *     }
 *     frame.format = GRAFT_RGB; // and its size, stride, data, length
 *     if (graft_predict(model, &frame, &answer)) {
 *       return complain(graft_error());
 *     }
 *     puts(answer.label == GRAFT_UNKNOWN ? \"?\" : graft_label(model, answer.label));
 *     graft_close(model);
 *
 * Errors. A function that can fail returns a graft_status, and graft_error()
 * says in words what was wrong. Rust panics do not leave the library: they
 * become GRAFT_PANICKED, and Rust's own report goes to stderr.
 *
 * Threads. A model serves one thread at a time; which one may change between
 * calls. A call that finds it busy returns GRAFT_MISUSE and does not wait.
 * Different models are independent: open one for each thread, and each has its
 * own copy of the weights. The library starts no threads and installs no
 * signal handlers: a call works on the caller's thread.
 *
 * Memory. What the library allocates it frees: a model by graft_close(), and
 * with it all that was got from it. It keeps no pointer that it was given. A
 * struct begins with its size, so that a later library with longer structs still
 * serves a program that was built against this header.
 *
 * Made from the sources of libgraft_runtime; changes here are lost. */";

fn generated() -> String {
    let config = Config {
        language: Language::C,
        style: Style::Both,
        header: Some(PREFACE.to_owned()),
        include_guard: Some("GRAFT_H".to_owned()),
        after_includes: Some(macros()),
        no_includes: true,
        sys_includes: vec!["stddef.h".to_owned(), "stdint.h".to_owned()],
        cpp_compat: true,
        usize_is_size_t: true,
        documentation_style: DocumentationStyle::C99,
        sort_by: SortKey::None,
        line_length: 80,
        ..Config::default()
    };
    let sources = firmware("c/src");
    let builder = SOURCES
        .iter()
        .fold(Builder::new().with_config(config), |all, name| all.with_src(sources.join(name)));
    let mut header = Vec::new();
    builder.generate().expect("cbindgen reads the sources").write(&mut header);
    String::from_utf8(header).expect("a header is text")
}

fn macros() -> String {
    let version = env!("CARGO_PKG_VERSION");
    let [major, minor, patch] = [
        env!("CARGO_PKG_VERSION_MAJOR"),
        env!("CARGO_PKG_VERSION_MINOR"),
        env!("CARGO_PKG_VERSION_PATCH"),
    ];
    format!(
        "
/* Of this header; graft_version() is the library's. */
#define GRAFT_VERSION \"{version}\"
#define GRAFT_VERSION_MAJOR {major}
#define GRAFT_VERSION_MINOR {minor}
#define GRAFT_VERSION_PATCH {patch}

/* What a struct begins with: graft_frame frame = GRAFT_FRAME_INIT; */
#define GRAFT_FRAME_INIT {{sizeof(graft_frame), 0, 0, 0, 0, NULL, 0}}
#define GRAFT_ANSWER_INIT {{sizeof(graft_answer), GRAFT_UNKNOWN, 0, 0, NULL, 0, 0, 0}}
#define GRAFT_INFO_INIT {{sizeof(graft_info), 0, 0, 0, 0, 0, NULL, NULL, NULL, 0, 0}}"
    )
}

#[test]
fn the_header_is_made_from_the_sources() {
    let (header, path) = (generated(), firmware("include/graft.h"));
    if std::env::var_os("GRAFT_REGENERATE").is_some() {
        fs::write(&path, &header).expect("the header can be written");
    }
    let stored = fs::read_to_string(&path).unwrap_or_default();
    let differs = stored.lines().zip(header.lines()).position(|(stored, made)| stored != made);
    assert!(
        stored == header,
        "firmware/include/graft.h is not what the sources make (first at line {}): \
         GRAFT_REGENERATE=1 cargo test -p graft-c --test c header",
        differs.unwrap_or(stored.lines().count().min(header.lines().count())) + 1
    );
}
