//! Pointers from C: refused where that can be told, and followed in one place.

use std::ffi::{CStr, c_char};

use crate::failure::Failure;

/// A place for one `T`, or for reading one.
pub(crate) fn checked<T>(pointer: *mut T, argument: &'static str) -> Result<*mut T, Failure> {
    if pointer.is_null() {
        Err(Failure::Null { argument })
    } else if !pointer.is_aligned() {
        Err(Failure::Misaligned { argument })
    } else {
        Ok(pointer)
    }
}

/// # Safety
///
/// If it is not NULL and aligned, it points at a `T` that lives and is not
/// written to for `'a`.
pub(crate) unsafe fn shared<'a, T>(
    pointer: *const T,
    argument: &'static str,
) -> Result<&'a T, Failure> {
    let pointer = checked(pointer.cast_mut(), argument)?;
    // SAFETY: it is aligned and not NULL; the rest the caller promises.
    Ok(unsafe { &*pointer })
}

/// # Safety
///
/// If it is not NULL, `length` bytes from it can be read and are not written to
/// for `'a`.
pub(crate) unsafe fn bytes<'a>(
    pointer: *const u8,
    length: usize,
    argument: &'static str,
) -> Result<&'a [u8], Failure> {
    if pointer.is_null() {
        return Err(Failure::Null { argument });
    }
    if isize::try_from(length).is_err() {
        return Err(Failure::Length { argument, length });
    }
    // SAFETY: it is not NULL and no longer than an object can be; the rest the
    // caller promises.
    Ok(unsafe { std::slice::from_raw_parts(pointer, length) })
}

/// # Safety
///
/// If it is not NULL, it points at bytes that end in a NUL and are not written
/// to for `'a`.
pub(crate) unsafe fn text<'a>(
    pointer: *const c_char,
    argument: &'static str,
) -> Result<&'a CStr, Failure> {
    if pointer.is_null() {
        return Err(Failure::Null { argument });
    }
    // SAFETY: the caller promises it.
    Ok(unsafe { CStr::from_ptr(pointer) })
}

/// Checks the `size` that a struct begins with.
///
/// A later version that makes a struct longer will take the sizes of the earlier
/// ones as well; there is one version yet.
///
/// # Safety
///
/// If it is not NULL and aligned, it points at a `T`, which begins with a `u32`.
pub(crate) unsafe fn sized<T>(
    pointer: *mut T,
    argument: &'static str,
    kind: &'static str,
    initialiser: &'static str,
) -> Result<*mut T, Failure> {
    let pointer = checked(pointer, argument)?;
    // SAFETY: the caller promises that one is there; the rest of the struct may
    // be uninitialised and is not looked at.
    let found = unsafe { pointer.cast::<u32>().read() };
    let expected = size_of::<T>();
    if found as usize == expected {
        Ok(pointer)
    } else {
        Err(Failure::StructSize { kind, initialiser, expected, found })
    }
}
