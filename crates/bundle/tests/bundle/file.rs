//! A bundle in a file is held to all that one in memory is held to.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::FileExt as _;

use graft_bundle::{Bundle, BundleError, BundleFile, SignatureError, WordsPart, verify_signature};
use proptest::prelude::*;

const SMALL: &[u8] = include_bytes!("../fixtures/small.graft");
const SIGNED: &[u8] = include_bytes!("../fixtures/signed.graft");
const KEY: &str = include_str!("../fixtures/minisign.pub");
const OTHER: &str = include_str!("../fixtures/other.pub");

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

pub type Read = (String, Vec<String>, Vec<Vec<u8>>);

fn from_memory(bytes: &[u8]) -> Result<Read, BundleError> {
    let bundle = Bundle::parse(bytes)?;
    let models = bundle.forms().map(|view| view.model).chain(bundle.words());
    let models = models.map(<[u8]>::to_vec).collect();
    Ok((format!("{:?}", bundle.manifest()), bundle.labels().names().to_vec(), models))
}

pub fn from_file(bytes: &[u8], key: Option<&str>) -> Result<Read, SignatureError> {
    let bundle = BundleFile::open(file(bytes), key)?;
    let mut models = Vec::new();
    for form in 0..bundle.manifest().forms.len() {
        let mut model = Vec::new();
        bundle.model(form)?.read_to_end(&mut model).map_err(BundleError::from)?;
        assert_eq!(bundle.references()[form].classes, bundle.labels().names().len());
        models.push(model);
    }
    if let Some(words) = bundle.words()? {
        let (words, is_copied) = match words {
            WordsPart::Read(bytes) => (bytes, true),
            WordsPart::InFile { file, offset, length } => {
                let mut bytes = vec![0; length as usize];
                file.read_exact_at(&mut bytes, offset).map_err(BundleError::from)?;
                (bytes, false)
            }
        };
        assert_eq!(is_copied, key.is_some());
        models.push(words);
    }
    Ok((format!("{:?}", bundle.manifest()), bundle.labels().names().to_vec(), models))
}

/// The same result, or an error in the same words.
fn alike(bytes: &[u8]) {
    let of_memory = from_memory(bytes).map_err(|error| error.to_string());
    let of_file = from_file(bytes, None).map_err(|error| error.to_string());
    assert_eq!(of_file, of_memory);
}

#[test]
fn what_is_right_is_read() {
    for bytes in [SMALL, SIGNED] {
        assert!(from_memory(bytes).is_ok());
        alike(bytes);
    }
    let mut model = String::new();
    let bundle = BundleFile::open(file(SIGNED), Some(KEY)).unwrap();
    bundle.model(0).unwrap().read_to_string(&mut model).unwrap();
    assert_eq!(model, "not an ONNX file, which is not this crate's business");
}

#[test]
fn a_signature_is_demanded_before_anything_is_parsed() {
    let refused = |bytes: &[u8], key: &str| {
        let of_file = from_file(bytes, Some(key)).unwrap_err().to_string();
        assert_eq!(of_file, verify_signature(bytes, key).unwrap_err().to_string());
    };
    refused(SMALL, KEY);
    refused(SIGNED, OTHER);
    refused(SIGNED, "no key");
    // Any bit of the body: none is read as part of a bundle before.
    for place in (0..SMALL.len()).step_by(13) {
        let mut bytes = SIGNED.to_vec();
        bytes[place] ^= 4;
        refused(&bytes, KEY);
    }
}

#[test]
fn a_damaged_model_is_found_when_it_is_read() {
    let mut bytes = SMALL.to_vec();
    let at = SMALL.windows(6).position(|w| w == b"not an").unwrap();
    bytes[at] ^= 1;
    let bundle = BundleFile::open(file(&bytes), None).unwrap();
    let error = bundle.model(0).err().unwrap();
    assert!(matches!(error, BundleError::SectionDigest { .. }), "{error}");
    alike(&bytes);
}

/// Whatever becomes of the file while it is open.
#[test]
fn a_file_that_changes_is_an_error() {
    let shared = file(SMALL);
    let bundle = BundleFile::open(shared.try_clone().unwrap(), None).unwrap();
    let at = SMALL.windows(6).position(|w| w == b"not an").unwrap();
    shared.write_all_at(b"got", at as u64).unwrap();
    assert!(matches!(bundle.model(0).err().unwrap(), BundleError::SectionDigest { .. }));
    shared.set_len(at as u64).unwrap();
    assert!(matches!(bundle.model(0).err().unwrap(), BundleError::Read(_)));
}

proptest! {
    #[test]
    fn broken_files_are_refused_alike(
        signed in any::<bool>(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        length in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = if signed { SIGNED.to_vec() } else { SMALL.to_vec() };
        for (place, value) in flips {
            *place.get_mut(&mut bytes) = value;
        }
        if let Some(length) = length {
            bytes.truncate(length.index(bytes.len()));
        }
        alike(&bytes);
    }
}
