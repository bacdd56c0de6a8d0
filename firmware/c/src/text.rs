//! Texts that C reads.

use std::ffi::CString;

/// A text on one line, with a NUL at its end and nowhere else: words of a broken
/// network can come back in the engine's, whatever is in them.
pub(crate) fn one_line(text: &str) -> CString {
    CString::new(text.replace(char::is_control, " "))
        .expect("invariant: a NUL is a control character")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_becomes_blank() {
        assert_eq!(one_line("a\0b\nc").as_c_str(), c"a b c");
        assert_eq!(one_line("Größe").as_c_str(), c"Größe");
    }
}
