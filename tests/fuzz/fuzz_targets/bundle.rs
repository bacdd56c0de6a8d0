//! Any bytes are read or refused; what was read can be written, and reads equal.
//!
//! Digests are made right first, or nothing behind them would ever be reached.

#![no_main]

use graft_bundle::{Bundle, Contents, ModelPart, split_signature, write};
use libfuzzer_sys::fuzz_target;

mod digests;

fuzz_target!(|bytes: &[u8]| {
    let _ = split_signature(bytes);
    let _ = Bundle::parse(bytes);
    let bytes = digests::made_right(bytes);
    let Ok(bundle) = Bundle::parse(&bytes) else { return };
    let contents = contents(&bundle);
    // What others wrote may carry provenance that is not ours to write again.
    let again = write(&contents).expect("what was read can be written");
    let bundle = Bundle::parse(&again).expect("what was written is read");
    assert_eq!(self::contents(&bundle), contents);
});

fn contents<'a>(bundle: &'a Bundle<'_>) -> Contents<'a> {
    let part = |view: graft_bundle::FormView<'a>| ModelPart {
        bytes: view.model,
        references: view.references.clone(),
    };
    Contents {
        manifest: bundle.manifest().clone(),
        labels: bundle.labels().clone(),
        models: bundle.forms().map(part).collect(),
        words: bundle.words(),
        tokenizer: bundle.tokenizer(),
        provenance: bundle.provenance().ok().flatten(),
    }
}
