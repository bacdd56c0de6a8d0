use graft_bundle::Bundle;
use graft_runtime::Model;

/// Written by fixtures/make_sentence.sh.
const SENTENCE: &[u8] = include_bytes!("../fixtures/sentence.graft");

/// Of models/tiny_encoder/make.py: PyTorch 2.15.0, transformers 5.24.0, tokenizers 0.23.2.
#[cfg(feature = "tokens")]
#[test]
fn features_of_sentences_are_those_of_pytorch() {
    use std::fs::read_to_string;
    use std::path::Path;

    #[derive(serde::Deserialize)]
    struct File {
        texts: Vec<Text>,
    }
    #[derive(serde::Deserialize)]
    struct Text {
        text: String,
        ids: Vec<u32>,
        cut: bool,
        mean: Vec<f32>,
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = path.join("../../models/tiny_encoder/expected.json");
    let File { texts } = serde_json::from_str(&read_to_string(path).unwrap()).unwrap();
    let mut model = Model::open(&Bundle::parse(SENTENCE).unwrap()).unwrap();
    assert_eq!(model.verify().unwrap().references, 4);
    assert_eq!(model.words(), Some(166));
    for Text { text, ids, cut, mean } in texts {
        let answer = model.predict_text(&text).unwrap();
        let counts = answer.text.unwrap();
        assert_eq!(
            (counts.tokens as usize, counts.cut_bytes > 0),
            (ids.len() - 2, cut),
            "{text:?}"
        );
        for (found, expected) in answer.features.iter().zip(&mean) {
            assert!((found - expected).abs() < 1e-5, "{text:?}: {found} is not {expected}");
        }
    }
}

/// The build of the whole workspace has it, for the host's sake.
#[cfg(not(feature = "tokens"))]
#[test]
fn without_a_tokenizer_the_bundle_is_refused() {
    let error = Model::open(&Bundle::parse(SENTENCE).unwrap()).unwrap_err();
    assert_eq!(error, graft_runtime::OpenError::WithoutTokens);
}
