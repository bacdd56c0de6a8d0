//! The synthetic picture against the one that fixtures/make.py draws from the
//! text of docs/format.md alone.

use graft_input::synthetic;
use sha2::{Digest, Sha256};

#[test]
fn synthetic_pictures_are_those_of_the_format() {
    let mut checked = 0;
    for line in include_str!("fixtures/synthetic.txt").lines() {
        let [seed, width, height, expected] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line:?} is not seed, width, height, digest");
        };
        let picture =
            synthetic(seed.parse().unwrap(), width.parse().unwrap(), height.parse().unwrap());
        let digest = Sha256::digest(picture.rgb());
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, expected, "seed {seed}, {width}x{height}");
        checked += 1;
    }
    assert_eq!(checked, 6);
}
