//! Test pictures by formula, the same as in fixtures/make.py: fine patterns,
//! where resizers differ most.

use graft_input::{Picture, synthetic};

pub fn picture(pattern: &str, width: u32, height: u32) -> Picture {
    match pattern {
        "checkers1" => checkers(width, height, 1),
        "checkers2" => checkers(width, height, 2),
        "zone_plate" => by_pixel(width, height, |x, y| {
            [1, 2, 3].map(|k| {
                let t = (x * x + y * y) * k / u64::from(width) % 512;
                t.min(511 - t) as u8
            })
        }),
        "lines" => by_pixel(width, height, |x, y| {
            [x % 7 == 0, y % 5 == 0, (x + y) % 11 == 0].map(|on| if on { 255 } else { 0 })
        }),
        "noise" => {
            let mut state = u64::from(width) * 65_536 + u64::from(height);
            by_pixel(width, height, |_, _| {
                let [r, g, b, ..] = split_mix(&mut state).to_le_bytes();
                [r, g, b]
            })
        }
        "text" => by_pixel(width, height, |x, y| {
            let cell = (x / 3) * 31 + (y / 2) * 17;
            let ink = ((cell * 2_654_435_761) >> 13) & 1 == 1 && y % 14 < 10;
            [20, 30, 40].map(|k| if ink { k } else { 235 - k })
        }),
        "synthetic" => synthetic(42, width, height),
        _ => panic!("no pattern {pattern}"),
    }
}

fn checkers(width: u32, height: u32, side: u64) -> Picture {
    by_pixel(width, height, |x, y| {
        if (x / side + y / side) % 2 == 1 { [255, 0, 127] } else { [0, 255, 0] }
    })
}

fn by_pixel(width: u32, height: u32, mut pixel: impl FnMut(u64, u64) -> [u8; 3]) -> Picture {
    let mut rgb = Vec::with_capacity(3 * width as usize * height as usize);
    for y in 0..u64::from(height) {
        for x in 0..u64::from(width) {
            rgb.extend(pixel(x, y));
        }
    }
    Picture::new(width, height, rgb).expect("three bytes a pixel")
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
