//! Tokens as Hugging Face's `tokenizers` makes them, and files that are refused.

use graft_input::tokens::{TokenPreparer, TokenizerError, synthetic_sentence};
use graft_input::{tensor_sha256, words::Counts};
use graft_spec::{PADDING, TokensLength, TokensSpec};
use proptest::prelude::*;
use serde_json::{Value, json};

const TOKENIZER: &str = include_str!("../../../models/tiny_encoder/tokenizer.json");
const EXPECTED: &str = include_str!("../../../models/tiny_encoder/expected.json");

fn spec() -> TokensSpec {
    TokensSpec { max_tokens: 24, length: TokensLength::Text, vocabulary: 166, max_bytes: 4096 }
}

fn tiny() -> TokenPreparer {
    TokenPreparer::new(&spec(), TOKENIZER.as_bytes()).unwrap()
}

/// Of models/tiny_encoder/make.py, by tokenizers 0.23.2.
#[test]
fn ids_are_those_of_the_reference() {
    let expected: Value = serde_json::from_str(EXPECTED).unwrap();
    let (preparer, mut tensor) = (tiny(), Vec::new());
    for text in expected["texts"].as_array().unwrap() {
        let ids: Vec<u64> =
            text["ids"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap()).collect();
        let written = text["text"].as_str().unwrap();
        let counts = preparer.fill(written, &mut tensor).unwrap();
        let found: Vec<u64> = tensor.iter().map(|&id| id as u64).collect();
        assert_eq!(found, ids, "{written:?}");
        assert_eq!(counts.cut_bytes > 0, text["cut"].as_bool().unwrap(), "{written:?}");
        let unknown = ids.iter().filter(|&&id| id == 1).count();
        assert_eq!(counts.tokens as usize, ids.len() - 2, "{written:?}");
        assert_eq!(counts.known as usize, ids.len() - 2 - unknown, "{written:?}");
    }
}

#[test]
fn what_is_cut_is_told_to_the_byte() {
    let spec = TokensSpec { max_tokens: 4, ..spec() };
    let preparer = TokenPreparer::new(&spec, TOKENIZER.as_bytes()).unwrap();
    let mut tensor = Vec::new();
    // Two tokens of text; "é" is two bytes, and one letter of "cafe".
    let counts = preparer.fill("Café hello world", &mut tensor).unwrap();
    assert_eq!(counts, Counts { tokens: 2, known: 2, cut_bytes: " world".len() });
    assert_eq!(tensor.len(), 4);
    let counts = preparer.fill("the soup", &mut tensor).unwrap();
    assert_eq!(counts, Counts { tokens: 2, known: 2, cut_bytes: 0 });
    let short = TokensSpec { max_bytes: 5, ..self::spec() };
    let preparer = TokenPreparer::new(&short, TOKENIZER.as_bytes()).unwrap();
    let counts = preparer.fill("soup é", &mut tensor).unwrap();
    assert_eq!(counts, Counts { tokens: 1, known: 1, cut_bytes: 2 });
}

#[test]
fn a_tensor_of_one_length_is_filled_up() {
    let spec = TokensSpec { length: TokensLength::MaxTokens, ..spec() };
    let preparer = TokenPreparer::new(&spec, TOKENIZER.as_bytes()).unwrap();
    let mut tensor = vec![7.0; 3];
    preparer.fill("the soup", &mut tensor).unwrap();
    assert_eq!(tensor[..4], [2.0, 5.0, 6.0, 3.0]);
    assert_eq!((tensor.len(), &tensor[4..]), (24, &[PADDING; 20][..]));
}

fn with(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut file: Value = serde_json::from_str(TOKENIZER).unwrap();
    change(&mut file);
    serde_json::to_vec(&file).unwrap()
}

#[test]
fn what_is_refused_is_named() {
    let check = |file: &[u8], words: &str| {
        let error = TokenPreparer::new(&spec(), file).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    };
    check(b"", "the tokenizer cannot be read: EOF");
    check(b"{}", "missing field `model`");
    check(&with(|f| f["version"] = json!("2.0")), "unknown variant `2.0`");
    check(&with(|f| f["model"]["type"] = json!("BPE")), "the tokenizer cannot be read: ");
    check(&with(|f| f["model"]["vocab"]["far"] = json!(-1)), "the tokenizer cannot be read: ");
    check(
        &with(|f| f["model"]["unk_token"] = json!("???")),
        "model names the token \"???\", which is not in its vocabulary",
    );
    check(
        &with(|f| f["model"]["vocab"]["far"] = json!(166)),
        "gives token \"far\" the id 166, and the encoder knows 166",
    );
    check(
        &with(|f| f["post_processor"]["special_tokens"]["[SEP]"]["ids"] = json!([170])),
        "gives token \"[SEP]\" the id 170",
    );
    let sequence = |id: &str, kind: u32| json!({"Sequence": {"id": id, "type_id": kind}});
    check(
        &with(|f| f["post_processor"]["single"][1] = sequence("A", 1)),
        "post_processor gives tokens another type than 0",
    );
    let once = "post_processor does not have a text once, with tokens at its ends";
    check(&with(|f| f["post_processor"]["single"][0] = sequence("A", 0)), once);
    let end = json!({"SpecialToken": {"id": "[SEP]", "type_id": 0}});
    check(&with(|f| f["post_processor"]["single"][1] = end), once);
    // The library takes the second text for one that is always there.
    check(&with(|f| f["post_processor"]["single"][1] = sequence("B", 0)), "panicked: index out");
    let merges = json!({"type": "BPE", "dropout": 0.1, "vocab": {"a": 0}, "merges": []});
    check(&with(|f| f["model"] = merges), "model drops merges at random");
    let unigram = json!({"type": "Unigram", "unk_id": null, "vocab": [["a", -1.0]]});
    check(&with(|f| f["model"] = unigram), "does not take the text apart");
    let tight = TokensSpec { max_tokens: 2, ..spec() };
    let error = TokenPreparer::new(&tight, TOKENIZER.as_bytes()).unwrap_err();
    assert_eq!(error, TokenizerError::NoRoom { added: 2, max_tokens: 2 });
}

/// What the tokenizer is tried with has Latin letters; others come later.
#[test]
fn a_text_without_tokens_is_an_error_and_the_next_one_is_not() {
    let letters = synthetic_sentence(0, 50);
    let letters: std::collections::BTreeSet<char> = letters.chars().collect();
    let pieces: Vec<Value> = letters.iter().map(|c| json!([c.to_string(), -1.0])).collect();
    let file = json!({"model": {"type": "Unigram", "unk_id": null, "vocab": pieces}});
    let preparer = TokenPreparer::new(&spec(), file.to_string().as_bytes()).unwrap();
    let mut tensor = Vec::new();
    let error = preparer.fill("न", &mut tensor).unwrap_err().to_string();
    assert!(error.contains("does not take the text apart: Encountered an unknown"), "{error}");
    assert_eq!(preparer.fill("ab", &mut tensor).unwrap().known, 2);
}

/// Of fixtures/tokenizers/make.py, by tokenizers 0.23.2: the kinds beside BERT's.
#[test]
fn other_kinds_give_the_ids_of_the_reference() {
    let expected: Value =
        serde_json::from_str(include_str!("fixtures/tokenizers/expected.json")).unwrap();
    let max_tokens = expected["max_tokens"].as_u64().unwrap() as u32;
    for (kind, file) in [
        ("bpe", include_str!("fixtures/tokenizers/bpe.json")),
        ("unigram", include_str!("fixtures/tokenizers/unigram.json")),
        ("fallback", include_str!("fixtures/tokenizers/fallback.json")),
        ("word_level", include_str!("fixtures/tokenizers/word_level.json")),
    ] {
        let spec = TokensSpec { max_tokens, vocabulary: 400, ..spec() };
        let preparer = TokenPreparer::new(&spec, file.as_bytes()).unwrap();
        let mut tensor = Vec::new();
        for one in expected[kind].as_array().unwrap() {
            let text = one["text"].as_str().unwrap();
            let counts = preparer.fill(text, &mut tensor).unwrap();
            let mut ids: Vec<f32> = serde_json::from_value(one["ids"].clone()).unwrap();
            if ids.is_empty() {
                ids.push(PADDING);
            }
            assert_eq!(tensor, ids, "{kind}: {text:?}");
            let number = |key: &str| one[key].as_u64().unwrap();
            let found = [counts.tokens.into(), counts.known.into(), counts.cut_bytes as u64];
            assert_eq!(found, ["tokens", "known", "cut_bytes"].map(number), "{kind}: {text:?}");
        }
    }
}

#[test]
fn the_older_post_processor_is_read() {
    let file = with(|f| {
        f["post_processor"] =
            json!({"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]});
    });
    let preparer = TokenPreparer::new(&spec(), &file).unwrap();
    let mut tensor = Vec::new();
    preparer.fill("the soup", &mut tensor).unwrap();
    assert_eq!(tensor, [2.0, 5.0, 6.0, 3.0]);
}

/// Of models/tiny_encoder/sentences.py, which was written from docs/format.md, and
/// tokenizers 0.23.2.
#[test]
fn synthetic_sentences_are_those_of_the_format() {
    assert_eq!(synthetic_sentence(1, 0), "");
    let spec = TokensSpec { max_tokens: 4000, max_bytes: 65536, ..spec() };
    let preparer = TokenPreparer::new(&spec, TOKENIZER.as_bytes()).unwrap();
    let mut tensor = Vec::new();
    for (seed, words, text, tokens, sha256) in SENTENCES {
        let sentence = synthetic_sentence(seed, words);
        preparer.fill(&sentence, &mut tensor).unwrap();
        let found: String = tensor_sha256(&tensor).iter().map(|b| format!("{b:02x}")).collect();
        assert!(sentence.starts_with(text), "{seed}: {sentence:?}");
        assert_eq!((tensor.len(), found.as_str()), (tokens, sha256), "{seed}: {sentence:?}");
    }
}

/// Seed, words, how the sentence begins, how many tokens it has, and the digest of their
/// ids as little-endian 32-bit floats.
const SENTENCES: [(u64, u32, &str, usize, &str); 3] = [
    (
        1,
        12,
        "76770 re FETA. fe qcb435",
        75,
        "7026962d2b9059be378adc46e84937de30687fc5ddc010c8159b30404b5f7f05",
    ),
    (
        2,
        60,
        "tamu ko lopufu-peke, 715",
        378,
        "16747a4efb01fc4171abbc5b483cba7657b58cd027cd97e406d0b3b20d8ae917",
    ),
    (
        3,
        200,
        "fufo beko. qe3830d21dc85",
        1335,
        "d1cc53ab22679818c767f784d082c8f46305b8bff7317c046460e890634164ee",
    ),
];

proptest! {
    #[test]
    fn any_bytes_are_a_tokenizer_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(TokenPreparer::new(&spec(), &bytes).is_err());
    }

    #[test]
    fn a_changed_file_is_a_tokenizer_or_an_error(
        changes in prop::collection::vec((0..TOKENIZER.len(), any::<u8>()), 1..4),
        text in ".{0,60}",
    ) {
        let mut bytes = TOKENIZER.as_bytes().to_vec();
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        if let Ok(preparer) = TokenPreparer::new(&spec(), &bytes) {
            let mut tensor = Vec::new();
            if preparer.fill(&text, &mut tensor).is_ok() {
                prop_assert!((1..=24).contains(&tensor.len()));
                prop_assert!(tensor.iter().all(|&id| (0.0..166.0).contains(&id)));
            }
        }
    }

    #[test]
    fn any_text_fits(text in "(?s).{0,300}") {
        let (preparer, mut tensor) = (tiny(), Vec::new());
        let counts = preparer.fill(&text, &mut tensor).unwrap();
        prop_assert!((2..=24).contains(&tensor.len()));
        prop_assert!(counts.known <= counts.tokens && counts.cut_bytes <= text.len());
        let mut again = Vec::new();
        prop_assert_eq!(preparer.fill(&text, &mut again).unwrap(), counts);
        prop_assert_eq!(again, tensor);
    }
}
