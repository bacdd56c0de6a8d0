//! What an independent writer wrote is read, and nothing else passes for it.

use graft_bundle::{Bundle, BundleError, Kind, split_signature, verify_signature};
use graft_spec::{Answer, Colour, Fit, Layout};

const SMALL: &[u8] = include_bytes!("../fixtures/small.graft");
const SIGNED: &[u8] = include_bytes!("../fixtures/signed.graft");
const KEY: &str = include_str!("../fixtures/minisign.pub");

#[test]
fn reads_what_python_wrote() {
    let bundle = Bundle::parse(SMALL).unwrap();
    let manifest = bundle.manifest();
    assert_eq!(manifest.name.as_str(), "small");
    let image = manifest.input.image().unwrap();
    assert_eq!((image.width, image.height), (3, 2));
    assert_eq!(
        (image.fit, image.layout, image.colour),
        (Fit::Letterbox, Layout::Nhwc, Colour::Grey)
    );
    assert_eq!((image.scale, image.mean[0], image.std[0]), (255.0, 0.485, 0.229));
    assert_eq!(image.background, [7, 8, 9]);
    let Answer::Class(calibration) = &manifest.answer;
    assert_eq!((calibration.temperature, calibration.unknown_below), (1.37, Some(0.62)));
    assert_eq!(bundle.labels().names(), ["défaut", "sound"]);

    let forms: Vec<_> = bundle.forms().collect();
    assert_eq!(forms.len(), 1);
    assert_eq!(forms[0].form.feature_length, 5);
    assert_eq!(forms[0].form.tolerance.relative, 0.002);
    assert_eq!(forms[0].model, b"not an ONNX file, which is not this crate's business");
    let references = forms[0].references;
    assert_eq!((references.classes, references.items.len()), (2, 2));
    let second = &references.items[1];
    assert_eq!((second.seed, second.width, second.height), (0xFEDC_BA98_7654_3210, 1, 4096));
    assert_eq!(second.logits, [3.25, -7.0]);
    // hashlib.sha256(b"")
    assert_eq!(second.prepared_sha256[..4], [0xe3, 0xb0, 0xc4, 0x42]);
    assert!(bundle.provenance_json().unwrap().contains("\"three\":3"));
    assert_eq!(bundle.signature(), None);
}

#[test]
fn lists_what_the_file_is_made_of() {
    let bundle = Bundle::parse(SMALL).unwrap();
    let sections = bundle.sections();
    let listed: Vec<String> = sections.iter().map(|s| s.id.to_string()).collect();
    assert_eq!(
        listed,
        ["MANI", "LABL", "MODL of form 0", "REFS of form 0", "prov", "zzzz of form 9"]
    );
    assert_eq!(sections[5].id.kind, Kind::Other(*b"zzzz"));
    assert_eq!(sections[0].offset, 64 + 6 * 64);
    assert_eq!(sections[5].offset + sections[5].length, SMALL.len() as u64);
}

#[test]
fn provenance_of_another_version_is_text_but_not_a_struct() {
    let bundle = Bundle::parse(SMALL).unwrap();
    let error = bundle.provenance().unwrap_err();
    assert!(error.to_string().contains("missing field `backbone`"), "{error}");
}

#[test]
fn every_flipped_bit_is_refused() {
    let mut bytes = SMALL.to_vec();
    for bit in 0..8 * bytes.len() {
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(Bundle::parse(&bytes).is_err(), "bit {} of byte {}", bit % 8, bit / 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    assert!(Bundle::parse(&bytes).is_ok());
}

/// The same of a signed bundle, but for the untrusted comment, which minisign
/// leaves outside of every signature.
#[test]
fn every_flipped_bit_of_a_signed_bundle_is_refused() {
    let comment = {
        let (body, text) = split_signature(SIGNED).unwrap();
        body.len()..body.len() + text.unwrap().find('\n').unwrap()
    };
    let mut bytes = SIGNED.to_vec();
    for bit in 0..8 * bytes.len() {
        bytes[bit / 8] ^= 1 << (bit % 8);
        let trusted = Bundle::parse(&bytes).is_ok() && verify_signature(&bytes, KEY).is_ok();
        assert!(!trusted || comment.contains(&(bit / 8)), "bit {} of byte {}", bit % 8, bit / 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn every_shortened_file_is_refused() {
    for length in 0..SMALL.len() {
        let error = Bundle::parse(&SMALL[..length]).unwrap_err();
        match length {
            0..8 => assert!(matches!(error, BundleError::NotABundle), "{length}: {error}"),
            _ => assert!(matches!(error, BundleError::Truncated { .. }), "{length}: {error}"),
        }
    }
    for length in SMALL.len() + 1..SIGNED.len() {
        assert!(Bundle::parse(&SIGNED[..length]).is_err(), "{length}");
    }
}

#[test]
fn what_follows_is_a_signature_or_refused() {
    for extra in [&b"\0"[..], b"\n", b"GRFTSIG1", &[0; 64], SMALL] {
        assert!(Bundle::parse(&[SMALL, extra].concat()).is_err(), "{extra:?}");
    }
    // A signature of a signed bundle is not a signature of the bundle.
    let (_, text) = split_signature(SIGNED).unwrap();
    let twice = graft_bundle::append_signature(SIGNED, text.unwrap()).unwrap();
    assert!(matches!(Bundle::parse(&twice), Err(BundleError::TrailingBytes { .. })));
}
