//! What is written is read back equal; what is made up is never a panic.

use graft_bundle::{Bundle, BundleError, Contents, ModelPart, Reference, References, write};
use graft_spec::{
    Answer, BackboneOrigin, Calibration, Colour, DataOrigin, EngineOrigin, Fit, Form, ImageSpec,
    Input, Labels, Layout, MAX_FORMS, Manifest, ModelFormat, Name, Pooling, Precision, Provenance,
    TestSummary, Tokeniser, TokensLength, TokensSpec, Tolerance, WordsSpec,
};
use proptest::prelude::*;

const SMALL: &[u8] = include_bytes!("../fixtures/small.graft");

fn positive() -> impl Strategy<Value = f32> {
    use proptest::num::f32::{NORMAL, POSITIVE, SUBNORMAL};
    POSITIVE | NORMAL | SUBNORMAL
}

fn finite() -> impl Strategy<Value = f32> {
    use proptest::num::f32::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
    POSITIVE | NEGATIVE | NORMAL | SUBNORMAL | ZERO
}

prop_compose! {
    fn image()(
        width in 1..=4096_u32,
        height in 1..=4096_u32,
        fit in prop_oneof![Just(Fit::Stretch), Just(Fit::Crop), Just(Fit::Letterbox)],
        layout in prop_oneof![Just(Layout::Nchw), Just(Layout::Nhwc)],
        colour in prop_oneof![Just(Colour::Rgb), Just(Colour::Bgr), Just(Colour::Grey)],
        scale in positive(),
        mean in prop::array::uniform3(finite()),
        std in prop::array::uniform3(positive()),
        background in any::<[u8; 3]>(),
        margins in prop::option::of([any::<prop::sample::Index>(), any::<prop::sample::Index>()]),
    ) -> ImageSpec {
        let channels = colour.channels();
        let (mean, std) = (mean[..channels].to_vec(), std[..channels].to_vec());
        let side = |least: u32, index: prop::sample::Index| least + index.index(4097 - least as usize) as u32;
        let resize = margins.map(|[right, below]| [side(width, right), side(height, below)]);
        ImageSpec { width, height, fit, resize, layout, colour, scale, mean, std, background }
    }
}

prop_compose! {
    fn words()(
        lowercase in any::<bool>(),
        pooling in prop::sample::select(vec![
            Pooling::Mean, Pooling::Weighted, Pooling::MaxMean, Pooling::Last(1), Pooling::Last(64),
        ]),
        dimensions in 1..=4096_u32,
        max_bytes in 1..=1_u32 << 20,
    ) -> WordsSpec {
        WordsSpec { tokens: Tokeniser::Words { lowercase }, pooling, dimensions, max_bytes }
    }
}

prop_compose! {
    fn tokens()(
        max_tokens in 1..=8192_u32,
        length in prop::sample::select(vec![TokensLength::Text, TokensLength::MaxTokens]),
        vocabulary in 1..=1_u32 << 24,
        max_bytes in 1..=1_u32 << 20,
    ) -> TokensSpec {
        TokensSpec { max_tokens, length, vocabulary, max_bytes }
    }
}

prop_compose! {
    fn form()(
        format in prop::sample::select(vec![ModelFormat::Onnx, ModelFormat::Nnef]),
        input in ".{1,20}",
        features in ".{1,20}",
        logits in ".{1,20}",
        feature_length in 1..=1_usize << 20,
        absolute in positive(),
        relative in positive(),
    ) -> Form {
        Form {
            format,
            precision: Precision::F32,
            input,
            features,
            logits,
            feature_length,
            tolerance: Tolerance { absolute, relative },
        }
    }
}

prop_compose! {
    fn manifest()(
        name in "[A-Za-z0-9_][A-Za-z0-9._-]{0,63}",
        input in prop_oneof![
            image().prop_map(Input::Image),
            words().prop_map(Input::Words),
            tokens().prop_map(Input::Tokens),
        ],
        temperature in positive(),
        unknown_below in prop::option::of(0.0..=1.0_f32),
        mut forms in prop::collection::vec(form(), 1..=MAX_FORMS),
        onnx in any::<prop::sample::Index>(),
    ) -> Manifest {
        onnx.get_mut(&mut forms).format = ModelFormat::Onnx;
        Manifest {
            name: Name::new(name).unwrap(),
            input,
            answer: Answer::Class(Calibration { temperature, unknown_below }),
            forms,
        }
    }
}

prop_compose! {
    fn provenance()(
        text in prop::array::uniform8(".{0,20}"),
        count in any::<[u32; 3]>(),
        licence in prop::option::of(".{0,20}"),
        recipe in prop::collection::btree_map(".{0,9}", ".{0,9}", 0..5),
        share in prop::array::uniform5(0.0..=1.0_f64),
    ) -> Provenance {
        let [graft, name, origin, licence_of_it, sha256, features_tensor, provider, cpu] = text;
        let [examples, trained, tested] = count.map(|v| v as usize);
        Provenance {
            graft,
            backbone: BackboneOrigin {
                name, origin, licence: licence_of_it, sha256: sha256.clone(), features_tensor,
            },
            data: DataOrigin { examples, trained, tested, sha256, licence },
            recipe,
            engine: EngineOrigin { provider, onnx_runtime: "1.32.0".into(), cpu },
            test: TestSummary {
                accuracy: share[0],
                accuracy_interval: [share[1], share[2]],
                ece: share[3],
                answered: share[4],
            },
        }
    }
}

fn references(
    classes: usize,
    heights: std::ops::RangeInclusive<u32>,
) -> impl Strategy<Value = References> {
    let reference = (
        any::<u64>(),
        1..=4096_u32,
        heights,
        any::<[u8; 32]>(),
        prop::collection::vec(finite(), classes),
    )
        .prop_map(|(seed, width, height, prepared_sha256, logits)| Reference {
            seed,
            width,
            height,
            prepared_sha256,
            logits,
        });
    prop::collection::vec(reference, 1..=3).prop_map(move |items| References { classes, items })
}

type Parts = (Manifest, Labels, Vec<(Vec<u8>, References)>, Option<Vec<u8>>, Option<Provenance>);

fn parts() -> impl Strategy<Value = Parts> {
    let names = prop::collection::btree_set("[!-~äß☃]{1,20}", 2..9);
    (manifest(), names).prop_flat_map(|(manifest, names)| {
        let labels = Labels::new(names.into_iter().collect()).unwrap();
        let bytes = prop::collection::vec(any::<u8>(), 1..300);
        let heights = match &manifest.input {
            Input::Image(_) => 1..=4096_u32,
            Input::Words(_) | Input::Tokens(_) => 1..=1,
        };
        let model = (bytes, references(labels.names().len(), heights));
        let models = prop::collection::vec(model, manifest.forms.len());
        let words = match &manifest.input {
            Input::Image(_) => Just(None).boxed(),
            Input::Words(_) | Input::Tokens(_) => {
                prop::collection::vec(any::<u8>(), 1..300).prop_map(Some).boxed()
            }
        };
        (Just(manifest), Just(labels), models, words, prop::option::of(provenance()))
    })
}

fn part((bytes, references): &(Vec<u8>, References)) -> ModelPart<'_> {
    ModelPart { bytes, references: references.clone() }
}

fn contents((manifest, labels, models, beside, provenance): &Parts) -> Contents<'_> {
    let beside = beside.as_deref();
    Contents {
        manifest: manifest.clone(),
        labels: labels.clone(),
        models: models.iter().map(part).collect(),
        words: manifest.input.words().and(beside),
        tokenizer: manifest.input.tokens().and(beside),
        provenance: provenance.clone(),
    }
}

fn read<'a>(bundle: &'a Bundle<'a>) -> Contents<'a> {
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
        provenance: bundle.provenance().unwrap(),
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(parts in parts()) {
        let contents = contents(&parts);
        let bytes = write(&contents).unwrap();
        let bundle = Bundle::parse(&bytes).unwrap();
        prop_assert_eq!(read(&bundle), contents);
        prop_assert_eq!(bundle.signature(), None);
    }

    #[test]
    fn any_bytes_are_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..1000)) {
        prop_assert!(Bundle::parse(&bytes).is_err());
        let with_magic = [&SMALL[..16], &bytes].concat();
        prop_assert!(Bundle::parse(&with_magic).is_err());
    }

    /// The digests are made right again, so that what lies behind them is reached.
    #[test]
    fn changed_bundles_are_no_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = SMALL.to_vec();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let count = u32::from_le_bytes(bytes[12..16].try_into().unwrap()) as usize;
        for entry in (0..count).map(|i| 64 + 64 * i).take_while(|at| at + 64 <= SMALL.len()) {
            let number = |at: usize| {
                usize::try_from(u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())).ok()
            };
            let range = number(entry + 8).zip(number(entry + 16));
            let end = |(start, length): (usize, usize)| Some(start..start.checked_add(length)?);
            if let Some(section) = range.and_then(end).and_then(|range| bytes.get(range)) {
                let digest: [u8; 32] = sha2::Digest::finalize(
                    <sha2::Sha256 as sha2::Digest>::new_with_prefix(section),
                ).into();
                bytes[entry + 24..entry + 56].copy_from_slice(&digest);
            }
        }
        crate::raw::digest_table(&mut bytes);
        if let Ok(bundle) = Bundle::parse(&bytes) {
            prop_assert!(bundle.manifest().check().is_ok());
        }
    }
}

#[test]
fn the_version_is_the_least_that_has_all() {
    let bundle = Bundle::parse(SMALL).unwrap();
    let view = bundle.onnx();
    let part = ModelPart { bytes: view.model, references: view.references.clone() };
    let mut contents = Contents {
        manifest: bundle.manifest().clone(),
        labels: bundle.labels().clone(),
        models: vec![part.clone()],
        words: None,
        tokenizer: None,
        provenance: None,
    };
    let minor = |contents: &Contents<'_>| write(contents).unwrap()[10];
    assert_eq!(minor(&contents), 0);
    contents.models.push(part);
    contents.manifest.forms.push(Form { format: ModelFormat::Nnef, ..view.form.clone() });
    assert_eq!(minor(&contents), 1);
    let Input::Image(image) = &mut contents.manifest.input else { panic!("about pictures") };
    image.resize = Some([4096, 4096]);
    assert_eq!(minor(&contents), 3);
    contents.manifest.input = Input::Words(WordsSpec {
        tokens: Tokeniser::Words { lowercase: true },
        pooling: Pooling::Mean,
        dimensions: 50,
        max_bytes: 1000,
    });
    contents.words = Some(b"not a table, which is not this crate's business");
    for model in &mut contents.models {
        model.references.items.iter_mut().for_each(|reference| reference.height = 1);
    }
    assert_eq!(minor(&contents), 2);
    let bytes = write(&contents).unwrap();
    assert_eq!(Bundle::parse(&bytes).unwrap().words(), contents.words);
    let Input::Words(words) = &mut contents.manifest.input else { unreachable!() };
    words.pooling = Pooling::Last(4);
    assert_eq!(minor(&contents), 3);
    let bytes = write(&contents).unwrap();
    assert_eq!(Bundle::parse(&bytes).unwrap().manifest(), &contents.manifest);
    contents.manifest.input = Input::Tokens(TokensSpec {
        max_tokens: 256,
        length: TokensLength::Text,
        vocabulary: 30_522,
        max_bytes: 1000,
    });
    contents.tokenizer = contents.words.take();
    assert_eq!(minor(&contents), 3);
    let bytes = write(&contents).unwrap();
    assert_eq!(Bundle::parse(&bytes).unwrap().tokenizer(), contents.tokenizer);
}

#[test]
fn what_may_not_be_written_is_refused() {
    let bundle = Bundle::parse(SMALL).unwrap();
    let view = bundle.forms().next().unwrap();
    let mut right = Contents {
        manifest: bundle.manifest().clone(),
        labels: bundle.labels().clone(),
        models: vec![ModelPart { bytes: view.model, references: view.references.clone() }],
        words: None,
        tokenizer: None,
        provenance: None,
    };
    write(&right).unwrap();
    let refused = |contents: &Contents<'_>, expected: &str| {
        let error = write(contents).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    let mut two = right.clone();
    two.models.push(two.models[0].clone());
    refused(&two, "has 1 forms, there are 2 models");
    let mut empty = right.clone();
    empty.models[0].bytes = &[];
    refused(&empty, "length is 0");
    let mut nan = right.clone();
    nan.manifest.forms[0].tolerance.absolute = f32::NAN;
    refused(&nan, "tolerance");
    let mut lost = right.clone();
    lost.models[0].references.items[1].logits.pop();
    refused(&lost, "it has 1 classes, there are 2 labels");
    let table = Contents { words: Some(b"table"), ..right.clone() };
    refused(&table, "there is a word table, and the manifest's input is not words");
    let tokens = Contents { tokenizer: Some(b"{}"), ..right.clone() };
    refused(&tokens, "there is a tokenizer, and the manifest's input is not tokens");
    let mut nothing = right.clone();
    nothing.models[0].references.items.clear();
    refused(&nothing, "there are 0 references");

    // The one body that would be taken for a signed one.
    let mark = |bytes: &[u8; 4]| f32::from_le_bytes(*bytes);
    right.models[0].references.items[1].logits = vec![mark(b"GRFT"), mark(b"SIG1")];
    assert!(matches!(write(&right), Err(BundleError::LooksSigned | BundleError::Trailer { .. })));
}
