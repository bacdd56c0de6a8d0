//! Any bytes are a tokenizer or refused; with what is one, any text becomes ids that the
//! encoder has rows for, no more than are allowed.

#![no_main]

use graft_input::tokens::{TokenPreparer, synthetic_sentence};
use graft_spec::{TokensLength, TokensSpec};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let length = TokensLength::Text;
    let spec = TokensSpec { max_tokens: 64, length, vocabulary: 1000, max_bytes: 4096 };
    let Ok(mut preparer) = TokenPreparer::new(&spec, bytes) else { return };
    let mut tensor = Vec::new();
    for text in [String::from_utf8_lossy(bytes).as_ref(), &synthetic_sentence(1, 50)] {
        let counts = preparer.fill(text, &mut tensor);
        assert!(counts.known <= counts.tokens && counts.cut_bytes <= text.len());
        assert!((1..=64).contains(&tensor.len()));
        assert!(tensor.iter().all(|&id| (-1.0..1000.0).contains(&id)));
    }
});
