//! Flips and quarter turns: the eight ways to lay a square on itself, exact.

use graft_input::{Frame, Picture};
use graft_learn::SplitMix64;

/// One of the eight: perhaps transposed, then perhaps flipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Turn {
    transposed: bool,
    mirrored: bool,
    upside_down: bool,
}

/// Which of the eight may occur.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Turns {
    pub(super) flip_horizontal: bool,
    pub(super) flip_vertical: bool,
    pub(super) quarter_turns: bool,
}

impl Turn {
    /// The picture as it is.
    pub(crate) const NONE: Turn = Turn { transposed: false, mirrored: false, upside_down: false };

    /// By quarter turns clockwise, then flipped.
    fn of(quarters: usize, mirrored: bool, upside_down: bool) -> Turn {
        let (transposed, left_right, top_bottom) =
            [(false, false, false), (true, true, false), (false, true, true), (true, false, true)]
                [quarters % 4];
        Turn { transposed, mirrored: left_right ^ mirrored, upside_down: top_bottom ^ upside_down }
    }

    /// A number below 8, 0 for the picture as it is.
    pub(crate) fn number(self) -> u8 {
        u8::from(self.mirrored) | u8::from(self.upside_down) << 1 | u8::from(self.transposed) << 2
    }

    pub(crate) fn apply(self, picture: Picture) -> Picture {
        if self == Turn::NONE { picture } else { self.turned(picture.frame()) }
    }

    fn turned(self, from: Frame<'_>) -> Picture {
        let (width, height) = (from.width() as usize, from.height() as usize);
        let (wide, tall) = if self.transposed { (height, width) } else { (width, height) };
        let mut rgb = Vec::with_capacity(from.rgb().len());
        for y in 0..tall {
            let y = if self.upside_down { tall - 1 - y } else { y };
            for x in 0..wide {
                let x = if self.mirrored { wide - 1 - x } else { x };
                let at = 3 * if self.transposed { x * width + y } else { y * width + x };
                rgb.extend_from_slice(&from.rgb()[at..at + 3]);
            }
        }
        Picture::new(wide as u32, tall as u32, rgb).expect("invariant: as many pixels as before")
    }
}

impl Turns {
    pub(super) fn draw(self, random: &mut SplitMix64) -> Turn {
        let quarters = if self.quarter_turns { random.below(4) } else { 0 };
        let mirrored = self.flip_horizontal && random.coin();
        let upside_down = self.flip_vertical && random.coin();
        Turn::of(quarters, mirrored, upside_down)
    }

    /// Every turn that can be drawn, the picture as it is first.
    pub(super) fn all(self) -> Vec<Turn> {
        let choices = |allowed: bool| if allowed { &[false, true][..] } else { &[false][..] };
        let mut all: Vec<Turn> = (0..if self.quarter_turns { 4 } else { 1 })
            .flat_map(|quarters| {
                choices(self.flip_horizontal).iter().flat_map(move |&mirrored| {
                    let vertical = choices(self.flip_vertical).iter();
                    vertical.map(move |&down| Turn::of(quarters, mirrored, down))
                })
            })
            .collect();
        all.sort_by_key(|turn| turn.number());
        all.dedup();
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three wide, two tall, told apart by their red.
    fn picture() -> Picture {
        let rgb = (1..=6u8).flat_map(|n| [n, 0, 0]).collect();
        Picture::new(3, 2, rgb).unwrap()
    }

    fn reds(picture: &Picture) -> (u32, Vec<u8>) {
        (picture.width(), picture.rgb().iter().step_by(3).copied().collect())
    }

    #[test]
    fn turns_and_flips_by_hand() {
        let check = |quarters, mirrored, upside_down, width: u32, expected: [u8; 6]| {
            let turned = Turn::of(quarters, mirrored, upside_down).apply(picture());
            assert_eq!(reds(&turned), (width, expected.to_vec()), "{quarters} {mirrored}");
        };
        // 1 2 3
        // 4 5 6
        check(0, false, false, 3, [1, 2, 3, 4, 5, 6]);
        check(1, false, false, 2, [4, 1, 5, 2, 6, 3]);
        check(2, false, false, 3, [6, 5, 4, 3, 2, 1]);
        check(3, false, false, 2, [3, 6, 2, 5, 1, 4]);
        check(0, true, false, 3, [3, 2, 1, 6, 5, 4]);
        check(0, false, true, 3, [4, 5, 6, 1, 2, 3]);
        check(1, true, false, 2, [1, 4, 2, 5, 3, 6]);
        check(1, false, true, 2, [6, 3, 5, 2, 4, 1]);
    }

    #[test]
    fn what_is_drawn_is_listed_and_each_of_it_as_often() {
        for bits in 0..8 {
            let turns = Turns {
                flip_horizontal: bits & 1 > 0,
                flip_vertical: bits & 2 > 0,
                quarter_turns: bits & 4 > 0,
            };
            let all = turns.all();
            assert_eq!(all[0], Turn::NONE);
            let expected = if turns.quarter_turns {
                if bits & 3 > 0 { 8 } else { 4 }
            } else {
                1 << (bits & 3u32).count_ones()
            };
            assert_eq!(all.len(), expected, "{turns:?}");
            let mut counts = vec![0usize; all.len()];
            let mut random = SplitMix64::new(5);
            for _ in 0..8000 {
                let turn = turns.draw(&mut random);
                counts[all.iter().position(|&t| t == turn).expect("it is listed")] += 1;
            }
            let fair = 8000 / all.len();
            assert!(counts.iter().all(|&n| n.abs_diff(fair) < fair / 4 + 1), "{counts:?}");
        }
    }
}
