//! The handle: an opened model, guarded.

use std::ffi::CString;
use std::fs::File;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, TryLockError};

use device::{Answer, Model, Refusal, RunError};
use graft_bundle::{Bundle, BundleFile, verify_signature};
use graft_input::{MAX_PIXELS, RawFrame, decode_within};
use graft_spec::{Answer as AnswerSpec, Calibration, Input};

use crate::failure::Failure;
use crate::text::one_line;

/// A model that was opened. One thread at a time may use it.
// What never changes lies beside the lock, so that any thread may read it.
pub struct graft_model {
    pub(crate) name: CString,
    pub(crate) labels: Vec<CString>,
    pub(crate) form: CString,
    /// The forms before it and why they did not open, if any.
    pub(crate) refused: Option<CString>,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) max_text_bytes: u32,
    pub(crate) words: u32,
    pub(crate) calibration: Calibration,
    running: Mutex<Running>,
}

/// What one call at a time may use.
pub(crate) struct Running {
    model: Model,
    state: State,
    /// The frame in RGB, if it comes in another format.
    rgb: Vec<u8>,
    /// Of a picture file.
    max_pixels: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Unverified,
    Verified,
}

impl graft_model {
    /// Reads the file a block at a time, so that the network is in memory once. Only a
    /// word table is mapped, and only where no key is demanded: a file that is cut short
    /// would kill the process.
    pub(crate) fn open_file(path: &Path, key: Option<&str>) -> Result<graft_model, Failure> {
        let unread = |source| Failure::File { path: path.to_owned(), source };
        // A fifo or a device might never end.
        if !std::fs::metadata(path).map_err(unread)?.is_file() {
            return Err(Failure::NotAFile { path: path.to_owned() });
        }
        let bundle = BundleFile::open(File::open(path).map_err(unread)?, key)?;
        Ok(graft_model::of(Model::open_file(&bundle)?))
    }

    pub(crate) fn open(bytes: &[u8], key: Option<&str>) -> Result<graft_model, Failure> {
        if let Some(key) = key {
            verify_signature(bytes, key)?;
        }
        Ok(graft_model::of(Model::open(&Bundle::parse(bytes)?)?))
    }

    fn of(model: Model) -> graft_model {
        let manifest = model.manifest();
        let (width, height, max_text_bytes) = match &manifest.input {
            Input::Image(spec) => (spec.width, spec.height, 0),
            Input::Words(spec) => (0, 0, spec.max_bytes),
            Input::Tokens(spec) => (0, 0, spec.max_bytes),
        };
        let AnswerSpec::Class(calibration) = manifest.answer;
        let refused: Vec<String> = model.refusals().iter().map(Refusal::to_string).collect();
        graft_model {
            name: one_line(manifest.name.as_str()),
            labels: model.labels().names().iter().map(|label| one_line(label)).collect(),
            form: one_line(model.format().name()),
            refused: (!refused.is_empty()).then(|| one_line(&refused.join("; "))),
            width,
            height,
            max_text_bytes,
            words: model.words().unwrap_or(0),
            calibration,
            running: Mutex::new(Running {
                model,
                state: State::Unverified,
                rgb: Vec::new(),
                max_pixels: MAX_PIXELS,
            }),
        }
    }

    /// For one call. It never waits: to wait would hide that two threads share
    /// a model, until the day they meet.
    pub(crate) fn lock(&self) -> Result<MutexGuard<'_, Running>, Failure> {
        self.running.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => Failure::InUse,
            TryLockError::Poisoned(_) => Failure::Broken,
        })
    }
}

impl Running {
    pub(crate) fn verify(&mut self) -> Result<(), Failure> {
        self.state = State::Unverified;
        self.model.verify()?;
        self.state = State::Verified;
        Ok(())
    }

    pub(crate) fn predict(&mut self, frame: RawFrame<'_>) -> Result<Answer<'_>, Failure> {
        self.check_verified()?;
        Ok(self.model.predict(frame.frame(&mut self.rgb))?)
    }

    pub(crate) fn limit_pictures(&mut self, max_pixels: u64) -> Result<(), Failure> {
        if !(1..=MAX_PIXELS).contains(&max_pixels) {
            return Err(Failure::MaxPixels(max_pixels));
        }
        self.max_pixels = max_pixels;
        Ok(())
    }

    pub(crate) fn predict_picture(&mut self, file: &[u8]) -> Result<Answer<'_>, Failure> {
        self.check_verified()?;
        let spec = self.model.manifest().input.image().ok_or(RunError::NotAboutPictures)?;
        let background = spec.background;
        let picture = decode_within(file, background, self.max_pixels)?;
        Ok(self.model.predict(picture.frame())?)
    }

    pub(crate) fn predict_text(&mut self, text: &[u8]) -> Result<Answer<'_>, Failure> {
        self.check_verified()?;
        Ok(self.model.predict_text(std::str::from_utf8(text)?)?)
    }

    fn check_verified(&self) -> Result<(), Failure> {
        match self.state {
            State::Verified => Ok(()),
            State::Unverified => Err(Failure::Unverified),
        }
    }
}

const _: () = {
    const fn may_move_between_threads<T: Send + Sync>() {}
    may_move_between_threads::<graft_model>();
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::graft_status;

    const TINY: &[u8] = include_bytes!("../../../crates/runtime/tests/fixtures/tiny.graft");

    fn open() -> graft_model {
        graft_model::open(TINY, None).unwrap()
    }

    #[test]
    fn a_picture_of_more_pixels_than_allowed_is_refused() {
        let png = include_bytes!("../../../crates/input/tests/fixtures/decoded/rgb.png");
        let picture = graft_input::decode(png, [0; 3]).unwrap();
        let pixels = u64::from(picture.width() * picture.height());
        let model = open();
        let mut running = model.lock().unwrap();
        running.verify().unwrap();
        running.limit_pictures(pixels - 1).unwrap();
        let failure = running.predict_picture(png).unwrap_err();
        assert_eq!(failure.status(), graft_status::GRAFT_PICTURE);
        let said = failure.to_string();
        assert!(said.contains(&format!("at most {} pixels", pixels - 1)), "{said}");
        running.limit_pictures(pixels).unwrap();
        assert!(running.predict_picture(png).is_ok());
    }

    #[test]
    fn a_second_call_at_once_is_misuse() {
        let model = open();
        let first = model.lock().unwrap();
        assert_eq!(model.lock().err().map(|e| e.status()), Some(graft_status::GRAFT_MISUSE));
        drop(first);
        assert!(model.lock().is_ok());
    }

    #[test]
    fn after_a_panic_a_model_is_broken() {
        let model = open();
        let status = crate::border::status(|| {
            let _running = model.lock()?;
            panic!("in the middle");
        });
        assert_eq!(status, graft_status::GRAFT_PANICKED);
        let failure = model.lock().err();
        assert!(matches!(failure, Some(Failure::Broken)), "{failure:?}");
        assert_eq!(failure.map(|f| f.status()), Some(graft_status::GRAFT_PANICKED));
    }
}
