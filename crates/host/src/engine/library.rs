use std::ffi::CStr;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use super::{EngineError, OLDEST_MINOR};

/// Asks the library itself, before any call that could panic in its absence.
pub(super) fn version(path: &Path) -> Result<String, EngineError> {
    #[repr(C)]
    struct ApiBase {
        get_api: extern "C" fn(u32) -> *const std::ffi::c_void,
        version: extern "C" fn() -> *const std::ffi::c_char,
    }
    check_whole(path)
        .map_err(|reason| EngineError::NotLoadable { path: path.to_path_buf(), reason })?;
    // SAFETY: loading a library runs its initialisers; a person or this
    // machine's administrator put it there for that. It is loaded again, and
    // kept, by `ort` right after.
    let library = unsafe { libloading::Library::new(path) }.map_err(|error| {
        let mut reason = error.to_string();
        // The loader's own words are in the cause.
        if let Some(cause) = std::error::Error::source(&error) {
            reason = format!("{reason}: {cause}");
        }
        EngineError::NotLoadable { path: path.to_path_buf(), reason }
    })?;
    let not_ort = || EngineError::NotOnnxRuntime { path: path.to_path_buf() };
    let new_enough = |version: &str| {
        let mut parts = version.split('.').map(str::parse::<u32>);
        matches!((parts.next(), parts.next()), (Some(Ok(1)), Some(Ok(minor))) if minor >= OLDEST_MINOR)
    };
    // SAFETY: the signatures are those of onnxruntime_c_api.h, unchanged since
    // 1.0; a library that exports this name is taken to be ONNX Runtime.
    let (version, has_api) = unsafe {
        let base = library
            .get::<extern "C" fn() -> *const ApiBase>(b"OrtGetApiBase")
            .map_err(|_| not_ort())?;
        let base = base().as_ref().ok_or_else(not_ort)?;
        let version = (base.version)();
        if version.is_null() {
            return Err(not_ort());
        }
        let version = CStr::from_ptr(version).to_string_lossy().into_owned();
        // An older one says so on standard error by itself, so it isn't asked.
        let has_api = new_enough(&version) && !(base.get_api)(OLDEST_MINOR).is_null();
        (version, has_api)
    };
    let path = path.to_path_buf();
    if !new_enough(&version) {
        Err(EngineError::Version { path, version })
    } else if !has_api {
        let reason = format!("it does not have version {OLDEST_MINOR} of its interface");
        Err(EngineError::Start { path, version, reason })
    } else {
        Ok(version)
    }
}

/// Whether all of the segments that the loader will map are in the file: it maps
/// what a header promises, and a file cut short kills the process at the first
/// touch of what isn't there.
///
/// Layouts of the ELF-64 specification, version 1.5: header of 64 bytes with
/// `e_phoff` at 32, `e_phentsize` at 54, `e_phnum` at 56; program headers with
/// `p_type` at 0, `p_offset` at 8, `p_filesz` at 32.
fn check_whole(path: &Path) -> Result<(), String> {
    const LOADED: u32 = 1;
    let text = |e: std::io::Error| e.to_string();
    let mut file = std::fs::File::open(path).map_err(text)?;
    let length = file.metadata().map_err(text)?.len();
    let mut header = [0; 64];
    if file.read_exact(&mut header).is_err() || header[..6] != *b"\x7fELF\x02\x01" {
        return Err("it is not a 64-bit ELF library".to_owned());
    }
    let at = |bytes: &[u8], offset: usize, size: usize| {
        bytes[offset..offset + size].iter().rev().fold(0u64, |n, &b| n << 8 | u64::from(b))
    };
    let (table, entry, count) =
        (at(&header, 32, 8), at(&header, 54, 2) as usize, at(&header, 56, 2) as usize);
    let cut_short = || format!("it is cut short at {length} bytes");
    if entry < 40 {
        return Err("its program headers are malformed".to_owned());
    }
    let mut headers = vec![0; entry * count];
    file.seek(SeekFrom::Start(table)).map_err(text)?;
    file.read_exact(&mut headers).map_err(|_| cut_short())?;
    let whole = headers.chunks_exact(entry).all(|segment| {
        let end = at(segment, 8, 8).checked_add(at(segment, 32, 8));
        at(segment, 0, 4) != u64::from(LOADED) || end.is_some_and(|end| end <= length)
    });
    if whole { Ok(()) } else { Err(cut_short()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_cut_short_is_found_before_it_is_loaded() {
        // The test program itself is an ELF file with segments.
        let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lib.so");
        for (length, whole) in [(bytes.len(), true), (bytes.len() / 3, false), (40, false)] {
            std::fs::write(&path, &bytes[..length]).unwrap();
            assert_eq!(check_whole(&path).is_ok(), whole, "{length} bytes");
        }
    }
}
