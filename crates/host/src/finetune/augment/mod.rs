//! Photos that could have been taken too: what a label does not change, the
//! network learns not to mind.
//!
//! Everything happens to the decoded photo, 8-bit RGB, before the same
//! preparation as on the device.

mod tone;
mod turn;
mod warp;

use graft_input::Picture;
use graft_learn::SplitMix64;
use serde::{Deserialize, Serialize};

use self::tone::{Hole, Tone};
pub(super) use self::turn::Turn;
use self::turn::Turns;
use self::warp::Warp;

/// What may happen to a photo while it is learned from. The default is nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Augmentation {
    /// Half of the photos are mirrored, left to right.
    pub flip_horizontal: bool,
    /// Half of them are turned upside down as in water.
    pub flip_vertical: bool,
    /// Turned by 0, 90, 180 or 270 degrees, each as often.
    pub quarter_turns: bool,
    /// Turned by up to so many degrees, either way.
    pub rotate_degrees: f64,
    /// Smallest share of the area that a crop keeps; 1 keeps all of it.
    pub crop_scale: f64,
    /// Brightness is multiplied by 1 − this to 1 + this.
    pub brightness: f64,
    /// So is the distance from the photo's mean.
    pub contrast: f64,
    /// Largest share of the area that one erased rectangle covers.
    pub erase: f64,
}

impl Default for Augmentation {
    fn default() -> Augmentation {
        Augmentation {
            flip_horizontal: false,
            flip_vertical: false,
            quarter_turns: false,
            rotate_degrees: 0.0,
            crop_scale: 1.0,
            brightness: 0.0,
            contrast: 0.0,
            erase: 0.0,
        }
    }
}

/// What happens to one photo.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Draw {
    turn: Turn,
    warp: Option<Warp>,
    tone: Option<Tone>,
    hole: Option<Hole>,
}

impl Augmentation {
    /// Whether pixels get values or places that no flip or quarter turn gives
    /// them, so that each epoch sees other photos.
    pub(super) fn changes_pixels(&self) -> bool {
        let Augmentation { rotate_degrees, crop_scale, brightness, contrast, erase, .. } = self;
        [*rotate_degrees, 1.0 - crop_scale, *brightness, *contrast, *erase].iter().any(|&x| x > 0.0)
    }

    /// The turns that can occur, none first.
    pub(super) fn turns(&self) -> Vec<Turn> {
        self.which_turns().all()
    }

    fn which_turns(&self) -> Turns {
        Turns {
            flip_horizontal: self.flip_horizontal,
            flip_vertical: self.flip_vertical,
            quarter_turns: self.quarter_turns,
        }
    }

    /// What happens to an example in an epoch. It depends on nothing else.
    pub(super) fn draw(&self, seed: u64, epoch: usize, example: usize) -> Draw {
        let mut random = SplitMix64::of(&[seed, AUGMENT, epoch as u64, example as u64]);
        let random = &mut random;
        let turn = self.which_turns().draw(random);
        let warp = (self.rotate_degrees > 0.0 || self.crop_scale < 1.0).then(|| Warp {
            degrees: random.between(-self.rotate_degrees, self.rotate_degrees),
            share: random.between(self.crop_scale, 1.0),
            across: random.unit(),
            down: random.unit(),
        });
        let around = |random: &mut SplitMix64, by: f64| random.between(1.0 - by, 1.0 + by);
        let tone = (self.brightness > 0.0 || self.contrast > 0.0).then(|| Tone {
            brightness: around(random, self.brightness),
            contrast: around(random, self.contrast),
        });
        let hole = (self.erase > 0.0).then(|| {
            let area = random.between(0.0, self.erase);
            // As often twice as wide as tall as the other way round.
            let aspect = random.between(-1.0, 1.0).exp2();
            let width = (area * aspect).sqrt().min(1.0);
            let height = (area / width.max(f64::MIN_POSITIVE)).min(1.0);
            Hole {
                width,
                height,
                left: random.unit() * (1.0 - width),
                top: random.unit() * (1.0 - height),
            }
        });
        Draw { turn, warp, tone, hole }
    }
}

/// Keeps these draws apart from others of the same seed.
const AUGMENT: u64 = 0x6175_676d;

impl Draw {
    /// The turn, if nothing else happens.
    pub(super) fn only_turn(&self) -> Option<Turn> {
        let Draw { turn, warp, tone, hole } = self;
        (warp.is_none() && tone.is_none() && hole.is_none()).then_some(*turn)
    }

    pub(super) fn apply(&self, picture: Picture) -> Picture {
        let mut picture = self.turn.apply(picture);
        if let Some(warp) = self.warp {
            picture = warp.apply(&picture);
        }
        if let Some(tone) = self.tone {
            picture = tone.apply(picture);
        }
        match self.hole {
            Some(hole) => hole.apply(picture),
            None => picture,
        }
    }
}

#[cfg(test)]
mod tests {
    use graft_input::synthetic;

    use super::*;

    fn everything() -> Augmentation {
        Augmentation {
            flip_horizontal: true,
            flip_vertical: true,
            quarter_turns: true,
            rotate_degrees: 15.0,
            crop_scale: 0.7,
            brightness: 0.3,
            contrast: 0.2,
            erase: 0.2,
        }
    }

    #[test]
    fn the_same_seed_epoch_and_example_give_the_same_photo_on_any_thread() {
        let augmentation = everything();
        let picture = |i: usize| synthetic(i as u64, 40, 30);
        let augmented = |epoch, i| augmentation.draw(7, epoch, i).apply(picture(i));
        let in_order: Vec<Picture> = (0..24).map(|i| augmented(3, i)).collect();
        for threads in [2, 5] {
            let mut found: Vec<Option<Picture>> = vec![None; 24];
            std::thread::scope(|scope| {
                for (thread, part) in found.chunks_mut(24_usize.div_ceil(threads)).enumerate() {
                    scope.spawn(move || {
                        let first = thread * 24_usize.div_ceil(threads);
                        // Backwards: order must not matter either.
                        for (i, slot) in part.iter_mut().enumerate().rev() {
                            *slot = Some(augmented(3, first + i));
                        }
                    });
                }
            });
            assert!(found.into_iter().flatten().eq(in_order.iter().cloned()));
        }
        assert_ne!(augmented(3, 0), augmented(4, 0));
        assert_ne!(augmentation.draw(7, 3, 0), augmentation.draw(8, 3, 0));
        assert_ne!(augmentation.draw(7, 3, 0), augmentation.draw(7, 3, 1));
    }

    #[test]
    fn draws_stay_within_what_was_asked_for() {
        let augmentation = everything();
        let within = |x: f64, low: f64, high: f64| (low..=high).contains(&x);
        for example in 0..2000 {
            let Draw { warp: Some(warp), tone: Some(tone), hole: Some(hole), .. } =
                augmentation.draw(1, 0, example)
            else {
                panic!("everything was asked for");
            };
            assert!(within(warp.degrees, -15.0, 15.0) && within(warp.share, 0.7, 1.0));
            assert!(within(tone.brightness, 0.7, 1.3) && within(tone.contrast, 0.8, 1.2));
            assert!(within(hole.width * hole.height, 0.0, 0.2 + 1e-12));
            assert!(hole.left >= 0.0 && hole.left + hole.width <= 1.0 + 1e-12);
            assert!(hole.top >= 0.0 && hole.top + hole.height <= 1.0 + 1e-12);
        }
    }

    #[test]
    fn nothing_is_asked_for_by_default() {
        let picture = synthetic(3, 20, 10);
        let nothing = Augmentation::default();
        assert!(!nothing.changes_pixels());
        assert_eq!(nothing.turns(), [Turn::NONE]);
        assert_eq!(nothing.draw(1, 2, 3).apply(picture.clone()), picture);
        assert!(everything().changes_pixels());
        let flips = Augmentation { flip_vertical: true, ..nothing };
        assert!(!flips.changes_pixels());
        assert_eq!(flips.turns().len(), 2);
    }
}
