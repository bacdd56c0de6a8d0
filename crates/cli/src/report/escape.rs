//! Text from outside in HTML: labels, paths, names, licences.

use std::fmt;

/// Shown as it is, whatever it holds, in text and in quoted attributes.
pub struct Escaped<'a>(pub &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                // No letters to HTML, and marks that would turn around what follows.
                '\0'..='\x08'
                | '\x0b'..='\x1f'
                | '\u{202a}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}' => f.write_str("\u{fffd}")?,
                _ => write!(f, "{letter}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_stays_a_tag() {
        for (text, html) in [
            ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
            ("\" onload='x' & more", "&quot; onload=&#39;x&#39; &amp; more"),
            ("gr\u{202e}xof\0", "gr\u{fffd}xof\u{fffd}"),
            ("Straße, 猫", "Straße, 猫"),
        ] {
            assert_eq!(Escaped(text).to_string(), html);
        }
    }
}
