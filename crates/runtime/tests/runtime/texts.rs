use std::io::Write as _;
use std::sync::LazyLock;

use graft_bundle::{Bundle, BundleFile, Contents, ModelPart};
use graft_input::synthetic;
use graft_input::words::{TablePrecision, write_table};
use graft_runtime::{
    Model, NNEF_INPUT, OpenError, RunError, TextCounts, VerifyError, check_onnx, to_nnef,
};
use graft_spec::{Answer, Decision, Form, ModelFormat};

use crate::TINY;

/// Written by fixtures/make_words.py, with ONNX Runtime's answers.
const WORDS: &[u8] = include_bytes!("../fixtures/words.graft");

/// Written by fixtures/make_next_word.py, with ONNX Runtime's answers.
const NEXT_WORD: &[u8] = include_bytes!("../fixtures/next_word.graft");

static BUNDLE: LazyLock<Bundle<'static>> = LazyLock::new(|| Bundle::parse(WORDS).unwrap());

const SHAPE: [usize; 2] = [1, 16];

fn changed<'a>(change: impl FnOnce(&mut Contents<'a>)) -> Vec<u8> {
    let form = BUNDLE.onnx();
    let mut contents = Contents {
        manifest: BUNDLE.manifest().clone(),
        labels: BUNDLE.labels().clone(),
        models: vec![ModelPart { bytes: form.model, references: form.references.clone() }],
        words: BUNDLE.words(),
        tokenizer: None,
        provenance: None,
    };
    change(&mut contents);
    graft_bundle::write(&contents).unwrap()
}

fn open(bytes: &[u8]) -> Result<Model, OpenError> {
    Model::open(&Bundle::parse(bytes).unwrap())
}

fn open_file(bytes: &[u8]) -> Model {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    Model::open_file(&BundleFile::open(file, None).unwrap()).unwrap()
}

fn close(found: &[f32], expected: &[f32]) {
    assert!(found.len() >= expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-5, "{found} is not {expected}");
    }
}

fn counts(tokens: u32, known: u32) -> Option<TextCounts> {
    Some(TextCounts { tokens, known, cut_bytes: 0 })
}

/// Expected: ONNX Runtime 1.32 and scipy's softmax, printed by fixtures/make_words.py.
#[test]
fn answers_as_onnx_runtime_does() {
    for mut model in [open(WORDS).unwrap(), open_file(WORDS)] {
        let answer = model.predict_text("The storm wasn't cold.").unwrap();
        assert_eq!(answer.features[..2], [0.6342324, 0.36814472]);
        assert_eq!(answer.features.len(), 16);
        close(answer.logits, &[1.6350557, 3.8567438, -0.18647787, 6.036646]);
        close(answer.probabilities, &[0.04080819, 0.17947003, 0.012116, 0.767_605_8]);
        assert_eq!((answer.label(), answer.text), (Some("weather"), counts(6, 6)));

        let answer = model.predict_text("Pay the TAX on a loan!").unwrap();
        close(answer.probabilities, &[0.00509439, 0.991_014_6, 0.00179936, 0.00209162]);
        assert_eq!((answer.label(), answer.text), (Some("money"), counts(7, 7)));

        let answer = model.predict_text("ice-cold soup").unwrap();
        assert_eq!((answer.label(), answer.text), (Some("food"), counts(2, 2)));
    }
}

/// Expected: ONNX Runtime 1.32, printed by fixtures/make_next_word.py.
#[test]
fn a_text_is_continued_as_onnx_runtime_does() {
    for mut model in [open(NEXT_WORD).unwrap(), open_file(NEXT_WORD)] {
        model.verify().unwrap();
        let mut check = |text: &str, label: Option<&str>, probability: f32, found| {
            let answer = model.predict_text(text).unwrap();
            assert_eq!((answer.label(), answer.text), (label, found), "{text:?}");
            let largest = answer.probabilities.iter().copied().fold(0.0, f32::max);
            assert!((largest - probability).abs() < 1e-5, "{text:?}: {largest}");
            // The vector that the words' own are held against.
            assert_eq!(answer.features.len(), 6);
        };
        check("The cat", Some("wins"), 0.371_272_7, counts(2, 2));
        check("the cat doesn't: it eats", Some("some"), 0.751_610_3, counts(7, 4));
        check("Likes, 3.5 THIS", Some("bank"), 0.303_348_8, counts(4, 4));
        check("over the", Some("storm"), 0.271_461_1, counts(2, 1));
        check("xyzzy", None, 0.104_301_5, counts(1, 0));
        check("", None, 0.104_301_5, counts(0, 0));
    }
}

/// The head alone would say "money" with a probability of 0.56, above the threshold.
#[test]
fn a_text_of_unknown_words_is_unknown() {
    let mut model = open(WORDS).unwrap();
    for (text, found) in [("qwerty", counts(1, 0)), ("", counts(0, 0)), ("\u{fffd}", counts(1, 0))]
    {
        let answer = model.predict_text(text).unwrap();
        close(answer.probabilities, &[0.14719589, 0.558_412_3, 0.14719589, 0.14719589]);
        assert_eq!((answer.decision, answer.text), (Decision::Unknown, found), "{text:?}");
    }
    // Whatever the calibration says.
    let always = changed(|contents| {
        let Answer::Class(calibration) = &mut contents.manifest.answer;
        calibration.unknown_below = None;
    });
    let mut model = open(&always).unwrap();
    assert_eq!(model.predict_text("qwerty").unwrap().decision, Decision::Unknown);
    assert_eq!(model.predict_text("qwerty rain").unwrap().label(), Some("weather"));
}

#[test]
fn references_of_onnx_runtime_hold() {
    for mut model in [open(WORDS).unwrap(), open_file(WORDS)] {
        let verified = model.verify().unwrap();
        assert_eq!(verified.references, 4);
        assert!(verified.max_abs_diff < 5e-6, "{verified:?}");
    }
}

#[test]
fn another_table_is_found_before_the_network_is_asked() {
    // The last byte of the last row, just before the words themselves.
    let mut table = BUNDLE.words().unwrap().to_vec();
    let text_bytes = u32::from_le_bytes(table[16..20].try_into().unwrap()) as usize;
    let at = table.len() - text_bytes - 1;
    table[at] ^= 1;
    let bytes = changed(|contents| contents.words = Some(&table));
    let error = open(&bytes).unwrap().verify().unwrap_err();
    assert!(matches!(error, VerifyError::Prepared { width: 40, height: 1, .. }), "{error}");
}

#[test]
fn pictures_and_texts_are_told_apart() {
    let mut texts = open(WORDS).unwrap();
    let picture = synthetic(1, 32, 32);
    assert_eq!(texts.predict(picture.frame()).unwrap_err(), RunError::NotAboutPictures);
    let mut pictures = open(TINY).unwrap();
    assert_eq!(pictures.predict_text("rain").unwrap_err(), RunError::NotAboutTexts);
    assert_eq!(pictures.predict(picture.frame()).unwrap().text, None);
}

#[test]
fn what_is_too_long_is_cut_and_counted() {
    let bytes = changed(|contents| {
        let graft_spec::Input::Words(words) = &mut contents.manifest.input else { panic!() };
        words.max_bytes = 9;
    });
    let mut model = open(&bytes).unwrap();
    let found = model.predict_text("rain snow soup").unwrap().text;
    assert_eq!(found, Some(TextCounts { tokens: 2, known: 2, cut_bytes: 5 }));
}

#[test]
fn a_table_that_is_none_is_refused() {
    let refused = |table: &[u8]| {
        let bytes = changed(|contents| contents.words = Some(table));
        open(&bytes).unwrap_err().to_string()
    };
    assert_eq!(refused(b"no table"), "the word table has 8 bytes, what is in it needs 24");
    let narrow = write_table([("rain", 1.0, [0.5; 4].as_slice())], 4, TablePrecision::F16).unwrap();
    assert_eq!(refused(&narrow), "the word table has 4 dimensions, the manifest 8");
    let bytes = changed(|contents| {
        let graft_spec::Input::Words(words) = &mut contents.manifest.input else { panic!() };
        words.pooling = graft_spec::Pooling::Mean;
    });
    let error = open(&bytes).unwrap_err().to_string();
    assert_eq!(error, "the model's input has shape [?, 16], the prepared example [1, 8]");
}

#[test]
fn a_head_travels_as_nnef_too() {
    let onnx = BUNDLE.onnx();
    assert_eq!(check_onnx(onnx.model, SHAPE), Ok(()));
    let tensors = [("features", 16), ("logits", 4)];
    let nnef = to_nnef(onnx.model, "texts", SHAPE, tensors).unwrap();
    let both = changed(|contents| {
        let form = Form {
            format: ModelFormat::Nnef,
            input: NNEF_INPUT.to_owned(),
            ..contents.manifest.forms[0].clone()
        };
        contents.manifest.forms.insert(0, form);
        let references = onnx.references.clone();
        contents.models.insert(0, ModelPart { bytes: &nnef, references });
    });
    let mut model = open_file(&both);
    assert_eq!((model.format(), model.refusals()), (ModelFormat::Nnef, [].as_slice()));
    model.verify().unwrap();
    assert_eq!(model.predict_text("rain").unwrap().label(), Some("weather"));
}

/// Renaming is how a bundle is replaced: the old one stays what it was.
#[test]
fn a_mapped_table_survives_another_bundle_of_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let (path, other) = (folder.path().join("a.graft"), folder.path().join("b.graft"));
    std::fs::write(&path, WORDS).unwrap();
    let file = std::fs::File::open(&path).unwrap();
    let mut model = Model::open_file(&BundleFile::open(file, None).unwrap()).unwrap();
    std::fs::write(&other, b"another").unwrap();
    std::fs::rename(&other, &path).unwrap();
    assert_eq!(model.predict_text("rain").unwrap().label(), Some("weather"));
    model.verify().unwrap();
}

/// Where a signature is demanded, what is used is what was verified, whatever becomes
/// of the file.
#[test]
fn the_table_of_a_verified_bundle_is_not_mapped() {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(include_bytes!("../fixtures/words_signed.graft")).unwrap();
    let key = include_str!("../fixtures/words.pub");
    let bundle = BundleFile::open(file.try_clone().unwrap(), Some(key)).unwrap();
    let mut model = Model::open_file(&bundle).unwrap();
    drop(bundle);
    file.set_len(0).unwrap();
    assert_eq!(model.words(), Some(56));
    assert_eq!(model.predict_text("rain").unwrap().label(), Some("weather"));
    model.verify().unwrap();
}
