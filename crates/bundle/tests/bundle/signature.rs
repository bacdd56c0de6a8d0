//! Signatures by Debian's `minisign`, checked by this crate.

use graft_bundle::{
    Bundle, BundleError, SignatureError, TrailerProblem, append_signature, split_signature,
    verify_signature,
};

const SMALL: &[u8] = include_bytes!("../fixtures/small.graft");
const SIGNED: &[u8] = include_bytes!("../fixtures/signed.graft");
const KEY: &str = include_str!("../fixtures/minisign.pub");
const OTHER: &str = include_str!("../fixtures/other.pub");
const LEGACY: &str = include_str!("../fixtures/legacy.minisig");

#[test]
fn a_signature_of_minisign_holds() {
    verify_signature(SIGNED, KEY).unwrap();
    let base64 = KEY.lines().nth(1).unwrap();
    verify_signature(SIGNED, base64).unwrap();
    let bundle = Bundle::parse(SIGNED).unwrap();
    assert!(bundle.signature().unwrap().contains("trusted comment: small, for tests\n"));
}

#[test]
fn the_body_of_a_signed_bundle_is_the_unsigned_one() {
    let (body, text) = split_signature(SIGNED).unwrap();
    assert_eq!(body, SMALL);
    assert_eq!(append_signature(body, text.unwrap()).unwrap(), SIGNED);
    assert_eq!(split_signature(SMALL).unwrap(), (SMALL, None));
}

#[test]
fn refusals_say_why() {
    let check = |bytes: &[u8], key: &str, expected: &str| {
        let error = verify_signature(bytes, key).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(SMALL, KEY, "is not signed");
    check(SIGNED, OTHER, "does not hold for this public key");
    check(SIGNED, "hello", "the public key is not one that minisign writes");
    check(SIGNED, "", "the public key is not one that minisign writes");
    check(&append_signature(SMALL, "hello").unwrap(), KEY, "not one that minisign writes");
    check(&append_signature(SMALL, LEGACY).unwrap(), KEY, "legacy format");
    // Another bundle under this bundle's signature.
    let (_, text) = split_signature(SIGNED).unwrap();
    check(&append_signature(b"other", text.unwrap()).unwrap(), KEY, "does not hold");
}

#[test]
fn broken_trailers_are_refused() {
    let check = |length: u64, expected: TrailerProblem| {
        let bytes = [&[0xC3; 100][..], &length.to_le_bytes(), b"GRFTSIG1"].concat();
        assert!(
            matches!(split_signature(&bytes), Err(BundleError::Trailer { problem }) if problem == expected)
        );
        assert!(matches!(verify_signature(&bytes, KEY), Err(SignatureError::Bundle(_))));
    };
    check(0, TrailerProblem::Length(0));
    check(4097, TrailerProblem::Length(4097));
    check(u64::MAX, TrailerProblem::Length(u64::MAX));
    check(101, TrailerProblem::TooLong);
    check(100, TrailerProblem::NotUtf8);
    assert!(split_signature(b"GRFTSIG1").is_err());
    for text in [String::new(), "x".repeat(4097)] {
        assert!(append_signature(SMALL, &text).is_err());
    }
}
