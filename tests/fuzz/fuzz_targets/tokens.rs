//! With a tokenizer of each kind any text becomes ids that the encoder has rows for, no
//! more than are allowed. Files are not fuzzed: some make the library that reads them
//! panic, which is caught in our programs and not here.

#![no_main]

use std::sync::LazyLock;

use graft_input::tokens::TokenPreparer;
use graft_spec::{TokensLength, TokensSpec};
use libfuzzer_sys::fuzz_target;

static PREPARERS: LazyLock<Vec<TokenPreparer>> = LazyLock::new(|| {
    let files = [
        include_str!("../../../models/tiny_encoder/tokenizer.json"),
        include_str!("../../../crates/input/tests/fixtures/tokenizers/bpe.json"),
        include_str!("../../../crates/input/tests/fixtures/tokenizers/unigram.json"),
        include_str!("../../../crates/input/tests/fixtures/tokenizers/fallback.json"),
        include_str!("../../../crates/input/tests/fixtures/tokenizers/word_level.json"),
    ];
    let length = TokensLength::Text;
    let spec = TokensSpec { max_tokens: 64, length, vocabulary: 400, max_bytes: 4096 };
    files.map(|file| TokenPreparer::new(&spec, file.as_bytes()).unwrap()).into()
});

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let mut tensor = Vec::new();
    for preparer in PREPARERS.iter() {
        let counts = preparer.fill(&text, &mut tensor).unwrap();
        assert!(counts.known <= counts.tokens && counts.cut_bytes <= text.len());
        assert!((1..=64).contains(&tensor.len()));
        assert!(tensor.iter().all(|&id| (-1.0..400.0).contains(&id)));
    }
});
