//! The functions of the header, in its order.

use std::ffi::{OsStr, c_char};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;

use crate::answer::{self, graft_answer};
use crate::border;
use crate::failure::Failure;
use crate::frame::{self, graft_frame};
use crate::model::graft_model;
use crate::pointer;
use crate::status::graft_status;

/// What a bundle says of itself. Begin with GRAFT_INFO_INIT.
#[repr(C)]
pub struct graft_info {
    /// sizeof(graft_info).
    pub size: u32,
    /// How many labels there are, at least 2.
    pub labels: u32,
    /// Width of what the network sees, in pixels. Frames of that size need no
    /// resizing. 0 if the bundle is about texts.
    pub width: u32,
    /// Height of what the network sees, in pixels; 0 if the bundle is about texts.
    pub height: u32,
    /// What logits are divided by before they become probabilities.
    pub temperature: f32,
    /// An answer whose largest probability is below this is GRAFT_UNKNOWN; 0 if
    /// there is always a label.
    pub unknown_below: f32,
    /// The bundle's name; valid until graft_close(), as the two below.
    pub name: *const c_char,
    /// The form of the network that runs: "onnx" or "nnef".
    pub form: *const c_char,
    /// Which forms before it did not open here, and why; NULL if it is the first.
    /// It is worth a warning: the bundle was made for another engine, and the
    /// form that runs may need more time and memory to open.
    pub refused: *const c_char,
    /// The longest text in bytes, if the bundle is about texts; of a longer one the
    /// rest is left out. 0 if it is about pictures.
    pub max_text_bytes: u32,
    /// How many words it knows; 0 if it is about pictures.
    pub words: u32,
}

/// The library's version as in GRAFT_VERSION, to compare the two.
///
/// The text is static. It cannot fail.
#[unsafe(no_mangle)]
pub extern "C" fn graft_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// What the last call on this thread that failed has to say: what is wrong,
/// where, and what was expected. UTF-8 without a line end; "" if none failed.
///
/// Calls that succeed leave it alone, so ask only after one that did not. The
/// text is the library's and valid until the next call that fails on this
/// thread, or the thread's end.
#[unsafe(no_mangle)]
pub extern "C" fn graft_error() -> *const c_char {
    border::text()
}

/// Opens a bundle that is a file.
///
/// The file is read a block at a time and may go afterwards: the model keeps its own
/// copy of the weights. It takes about the time of four answers.
///
/// The words of a bundle about texts stay in the file, which is mapped until
/// graft_close(), unless a key is demanded. Replace such a file by renaming another
/// one over it: to write into it changes answers, and to cut it short kills the
/// process.
///
/// If `public_key` is not NULL, the bundle must be signed with it; that is
/// checked before anything in the file is looked at. It is the content of
/// minisign's .pub file, or its second line alone.
///
/// On success `*model` is the caller's, to be given to graft_close(). On failure
/// it is NULL: GRAFT_FILE, GRAFT_SIGNATURE, GRAFT_BUNDLE, GRAFT_NETWORK.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn graft_open_file(
    path: *const c_char,
    public_key: *const c_char,
    model: *mut *mut graft_model,
) -> graft_status {
    border::status(|| {
        // SAFETY: the header demands it of callers.
        unsafe {
            opened(model, public_key, |key| {
                let path = pointer::text(path, "path")?;
                graft_model::open_file(Path::new(OsStr::from_bytes(path.to_bytes())), key)
            })
        }
    })
}

/// Opens a bundle that is in memory, as graft_open_file() does.
///
/// The bytes must not change during the call and may go afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn graft_open_memory(
    bytes: *const u8,
    length: usize,
    public_key: *const c_char,
    model: *mut *mut graft_model,
) -> graft_status {
    border::status(|| {
        // SAFETY: the header demands it of callers.
        unsafe {
            opened(model, public_key, |key| {
                graft_model::open(pointer::bytes(bytes, length, "bytes")?, key)
            })
        }
    })
}

/// # Safety
///
/// Each pointer that is not NULL and aligned points at what its type says.
unsafe fn opened(
    model: *mut *mut graft_model,
    public_key: *const c_char,
    open: impl FnOnce(Option<&str>) -> Result<graft_model, Failure>,
) -> Result<(), Failure> {
    let model = pointer::checked(model, "model")?;
    // First of all, so that nobody closes what was never opened.
    // SAFETY: it is not NULL and aligned; the caller promises the rest.
    unsafe { model.write(ptr::null_mut()) };
    let key = if public_key.is_null() {
        None
    } else {
        // SAFETY: the caller promises that a NUL ends it.
        let text = unsafe { pointer::text(public_key, "public_key") }?;
        Some(text.to_str().map_err(|_| Failure::NotUtf8 { argument: "public_key" })?)
    };
    let opened = Box::new(open(key)?);
    // SAFETY: as above.
    unsafe { model.write(Box::into_raw(opened)) };
    Ok(())
}

/// Frees a model and all that belongs to it. NULL is allowed and does nothing.
///
/// No other call may be using the model, and none may be given it afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn graft_close(model: *mut graft_model) {
    border::value((), || {
        if !model.is_null() {
            // SAFETY: it came from Box::into_raw in `opened`, and the header
            // demands that it is closed once.
            drop(unsafe { Box::from_raw(model) });
        }
        Ok(())
    });
}

/// Checks that the bundle answers on this machine as it did on the host: replays
/// its reference pictures or texts. It takes a few answers' time.
///
/// Call it once, before the first picture or text. Until it has succeeded there are no
/// answers, as there is no telling what they would be worth.
///
/// On failure GRAFT_DIFFERS; graft_error() says which reference, by how much.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn graft_verify(model: *mut graft_model) -> graft_status {
    border::status(|| {
        // SAFETY: the header demands it of callers.
        let model = unsafe { pointer::shared(model, "model") }?;
        model.lock()?.verify()
    })
}

/// Answers for a frame.
///
/// The frame may have any size: it is fitted and resized as the bundle says. It
/// must not change during the call and is not kept. After the first frame of a
/// size and format the library allocates nothing of its own; the engine below it
/// allocates its tensors anew for each frame.
///
/// On failure `*answer` is as it was: GRAFT_FRAME, GRAFT_UNVERIFIED,
/// GRAFT_ENGINE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn graft_predict(
    model: *mut graft_model,
    frame: *const graft_frame,
    answer: *mut graft_answer,
) -> graft_status {
    border::status(|| {
        // SAFETY: the header demands it of callers.
        let (model, answer) = unsafe { (pointer::shared(model, "model")?, place(answer)?) };
        // SAFETY: the same.
        let frame = unsafe { frame::raw(frame) }?;
        let mut running = model.lock()?;
        let found = answer::of(&running.predict(frame)?);
        // SAFETY: `place` found it to be one.
        unsafe { answer.write(found) };
        Ok(())
    })
}

/// Answers for a picture file in memory: JPEG, PNG, BMP, GIF, TIFF or WebP, told
/// apart by their first bytes; EXIF orientation is applied.
///
/// Decoding allocates. A file of a few kilobytes can claim 100 million pixels,
/// which take 300 MB and more: see graft_limit_pictures(). A library that was built
/// without the feature "formats" reads JPEG and PNG alone.
///
/// On failure `*answer` is as it was: GRAFT_PICTURE, GRAFT_UNVERIFIED,
/// GRAFT_ENGINE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn graft_predict_picture(
    model: *mut graft_model,
    bytes: *const u8,
    length: usize,
    answer: *mut graft_answer,
) -> graft_status {
    border::status(|| {
        // SAFETY: the header demands it of callers.
        let (model, answer) = unsafe { (pointer::shared(model, "model")?, place(answer)?) };
        // SAFETY: the same.
        let file = unsafe { pointer::bytes(bytes, length, "bytes") }?;
        let mut running = model.lock()?;
        let found = answer::of(&running.predict_picture(file)?);
        // SAFETY: `place` found it to be one.
        unsafe { answer.write(found) };
        Ok(())
    })
}

/// Answers for a text, with a bundle that is about texts.
///
/// `text` is `length` bytes of UTF-8; no NUL need end them. They must not change
/// during the call and are not kept. The answer is GRAFT_UNKNOWN if the bundle knows
/// none of the words; `tokens` and `known` say how many it knows. The library
/// allocates nothing of its own but room for the longest word yet; the tokenizer of a
/// sentence encoder and the engine below it allocate anew for each text.
///
/// On failure `*answer` is as it was: GRAFT_TEXT, GRAFT_UNVERIFIED, GRAFT_ENGINE, and
/// GRAFT_MISUSE if the bundle is about pictures; so it is where a picture is given to
/// a bundle about texts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn graft_predict_text(
    model: *mut graft_model,
    text: *const c_char,
    length: usize,
    answer: *mut graft_answer,
) -> graft_status {
    border::status(|| {
        // SAFETY: the header demands it of callers.
        let (model, answer) = unsafe { (pointer::shared(model, "model")?, place(answer)?) };
        // SAFETY: the same.
        let text = unsafe { pointer::bytes(text.cast(), length, "text") }?;
        let mut running = model.lock()?;
        let found = answer::of(&running.predict_text(text)?);
        // SAFETY: `place` found it to be one.
        unsafe { answer.write(found) };
        Ok(())
    })
}

/// Says how many pixels a picture file may claim to have, from now on: 1 to 100
/// million, which is what holds until it is called. Decoding takes 3 to 16 bytes
/// for each. A larger picture is GRAFT_PICTURE. Frames have the size that their
/// buffer has, and are not limited.
///
/// On failure the limit is as it was: GRAFT_MISUSE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn graft_limit_pictures(
    model: *mut graft_model,
    max_pixels: u64,
) -> graft_status {
    border::status(|| {
        // SAFETY: the header demands it of callers.
        let model = unsafe { pointer::shared(model, "model") }?;
        model.lock()?.limit_pictures(max_pixels)
    })
}

/// # Safety
///
/// If it is not NULL and aligned, it points at an answer.
unsafe fn place(answer: *mut graft_answer) -> Result<*mut graft_answer, Failure> {
    // SAFETY: the caller promises it, and `size` comes first.
    unsafe { pointer::sized(answer, "answer", "graft_answer", "GRAFT_ANSWER_INIT") }
}

/// The name of a label: UTF-8 of 1 to 256 bytes, valid until graft_close().
///
/// NULL if `index` is GRAFT_UNKNOWN or there is no such label. Any thread may
/// ask at any time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn graft_label(model: *const graft_model, index: i32) -> *const c_char {
    border::value(ptr::null(), || {
        // SAFETY: the header demands it of callers.
        let model = unsafe { pointer::shared(model, "model") }?;
        let label = usize::try_from(index).ok().and_then(|index| model.labels.get(index));
        Ok(label.map_or(ptr::null(), |label| label.as_ptr()))
    })
}

/// Says what is in the bundle: labels, sizes, thresholds. Any thread may ask at
/// any time.
///
/// On failure `*info` is as it was: GRAFT_MISUSE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn graft_describe(
    model: *const graft_model,
    info: *mut graft_info,
) -> graft_status {
    border::status(|| {
        // SAFETY: the header demands it of callers.
        let model = unsafe { pointer::shared(model, "model") }?;
        // SAFETY: the same, and `size` comes first.
        let info = unsafe { pointer::sized(info, "info", "graft_info", "GRAFT_INFO_INIT") }?;
        let found = graft_info {
            size: size_of::<graft_info>() as u32,
            // At most 65,536.
            labels: model.labels.len() as u32,
            width: model.width,
            height: model.height,
            temperature: model.calibration.temperature,
            unknown_below: model.calibration.unknown_below.unwrap_or(0.0),
            name: model.name.as_ptr(),
            form: model.form.as_ptr(),
            refused: model.refused.as_ref().map_or(ptr::null(), |refused| refused.as_ptr()),
            max_text_bytes: model.max_text_bytes,
            words: model.words,
        };
        // SAFETY: it was found to be one.
        unsafe { info.write(found) };
        Ok(())
    })
}
