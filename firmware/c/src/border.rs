//! The border to C: no panic crosses it, and what failed is kept as text.

use std::any::Any;
use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::failure::Failure;
use crate::status::graft_status;
use crate::text::one_line;

thread_local! {
    /// Of the last call on this thread that failed.
    static TEXT: RefCell<CString> = RefCell::default();
}

/// Runs the body of a function that C calls.
pub(crate) fn status(body: impl FnOnce() -> Result<(), Failure>) -> graft_status {
    match caught(body) {
        Ok(()) => graft_status::GRAFT_OK,
        Err(failure) => {
            remember(&failure);
            failure.status()
        }
    }
}

/// As [`status`], for a function that returns a value and has one for failure.
pub(crate) fn value<T>(failed: T, body: impl FnOnce() -> Result<T, Failure>) -> T {
    caught(body).unwrap_or_else(|failure| {
        remember(&failure);
        failed
    })
}

/// The text of the last failure on this thread.
pub(crate) fn text() -> *const c_char {
    const NONE: &CStr = c"";
    // The only other user is `remember`, which calls nothing of anyone's; gone
    // is the text only while the thread itself goes.
    TEXT.try_with(|text| text.borrow().as_ptr()).unwrap_or(NONE.as_ptr())
}

fn caught<T>(body: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    // What a panic leaves half done is behind the model's lock, which it poisons.
    catch_unwind(AssertUnwindSafe(body))
        .unwrap_or_else(|panic| Err(Failure::Panicked(words(&*panic).to_owned())))
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a word")
}

fn remember(failure: &Failure) {
    let text = one_line(&failure.to_string());
    // Nobody can ask for the text of a thread that is going.
    let _ = TEXT.try_with(|kept| kept.replace(text));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept() -> String {
        // SAFETY: the text of this thread, which ends in a NUL and is copied at
        // once.
        unsafe { CStr::from_ptr(text()) }.to_str().unwrap().to_owned()
    }

    /// As C calls it: a panic that went on through here would abort.
    extern "C" fn panicking(fail: bool) -> graft_status {
        status(|| {
            let frames: Vec<u8> = Vec::new();
            if fail {
                panic!("index {} of {}", 7, frames.len());
            }
            Ok(())
        })
    }

    #[test]
    fn a_panic_becomes_a_status_with_its_words() {
        assert_eq!(panicking(true), graft_status::GRAFT_PANICKED);
        assert_eq!(kept(), "a bug in libgraft_runtime: index 7 of 0");
        // It stays until the next failure, as errno does.
        assert_eq!(panicking(false), graft_status::GRAFT_OK);
        assert_eq!(kept(), "a bug in libgraft_runtime: index 7 of 0");
        assert_eq!(value(5, || std::panic::panic_any(3_u8)), 5);
        assert_eq!(kept(), "a bug in libgraft_runtime: a panic without a word");
    }

    #[test]
    fn each_thread_has_its_own_text() {
        assert_eq!(status(|| Err(Failure::Format(9))), graft_status::GRAFT_MISUSE);
        let other = std::thread::spawn(|| {
            assert_eq!(kept(), "");
            status(|| Err(Failure::Unverified))
        });
        assert_eq!(other.join().unwrap(), graft_status::GRAFT_UNVERIFIED);
        assert_eq!(kept(), "graft_frame.format is 9, which is no GRAFT_ format of this version");
    }
}
