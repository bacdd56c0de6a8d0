//! Any bytes are a picture or an error.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(picture) = graft_input::decode(bytes, [1, 2, 3]) {
        let pixels = u64::from(picture.width()) * u64::from(picture.height());
        assert_eq!(picture.rgb().len() as u64, 3 * pixels);
    }
});
