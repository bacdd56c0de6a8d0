//! Protobuf's text format: what a prototxt is written in. Lines are kept, since
//! every error names one.

use super::error::CaffeError;

/// Deeper nesting than any network has; the parser calls itself that often.
const DEEPEST: usize = 64;

/// The fields between two braces, or of the file.
#[derive(Debug, Default)]
pub(super) struct Message<'a> {
    pub fields: Vec<Field<'a>>,
}

#[derive(Debug)]
pub(super) struct Field<'a> {
    pub name: &'a str,
    pub line: u32,
    pub value: Value<'a>,
}

#[derive(Debug)]
pub(super) enum Value<'a> {
    /// As it is written, with its sign: what it means depends on the field.
    Number(&'a str),
    /// An enum's value, `true` or `false`.
    Word(&'a str),
    Text(String),
    Message(Message<'a>),
}

impl Value<'_> {
    /// For messages.
    pub fn shown(&self) -> String {
        match self {
            Value::Number(text) | Value::Word(text) => (*text).to_owned(),
            Value::Text(text) => format!("{text:?}"),
            Value::Message(_) => "{ … }".to_owned(),
        }
    }
}

pub(super) fn parse(text: &str) -> Result<Message<'_>, CaffeError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut parser = Parser { rest: text, line: 1 };
    parser.message(None, 0)
}

struct Parser<'a> {
    rest: &'a str,
    line: u32,
}

/// Where a message began, and what ends it.
#[derive(Clone, Copy)]
struct Open {
    line: u32,
    close: char,
}

impl<'a> Parser<'a> {
    fn message(&mut self, open: Option<Open>, depth: usize) -> Result<Message<'a>, CaffeError> {
        let mut message = Message::default();
        loop {
            match (self.peek(), open) {
                (None, None) => return Ok(message),
                (None, Some(open)) => return Err(CaffeError::Unclosed { line: open.line }),
                (Some(c), Some(open)) if c == open.close => {
                    self.bump(c);
                    return Ok(message);
                }
                (Some(';' | ','), _) if !message.fields.is_empty() => self.bump(','),
                _ => self.field(&mut message, depth)?,
            }
        }
    }

    fn field(&mut self, into: &mut Message<'a>, depth: usize) -> Result<(), CaffeError> {
        let line = self.line;
        let name = self.word().ok_or_else(|| self.unexpected("the name of a field"))?;
        let colon = self.peek() == Some(':');
        if colon {
            self.bump(':');
        }
        match self.peek() {
            Some('[') => {
                self.bump('[');
                if self.peek() == Some(']') {
                    self.bump(']');
                    return Ok(());
                }
                loop {
                    let value = self.value(depth)?;
                    into.fields.push(Field { name, line, value });
                    match self.peek() {
                        Some(',') => self.bump(','),
                        Some(']') => {
                            self.bump(']');
                            return Ok(());
                        }
                        _ => return Err(self.unexpected("`,` or `]`")),
                    }
                }
            }
            Some('{' | '<') => {}
            _ if !colon => return Err(self.unexpected("`:` or `{` after the name of a field")),
            _ => {}
        }
        let value = self.value(depth)?;
        into.fields.push(Field { name, line, value });
        Ok(())
    }

    fn value(&mut self, depth: usize) -> Result<Value<'a>, CaffeError> {
        match self.peek() {
            Some(c @ ('{' | '<')) => {
                let line = self.line;
                if depth == DEEPEST {
                    return Err(CaffeError::TooDeep { line, deepest: DEEPEST });
                }
                self.bump(c);
                let close = if c == '{' { '}' } else { '>' };
                Ok(Value::Message(self.message(Some(Open { line, close }), depth + 1)?))
            }
            Some('"' | '\'') => {
                let mut bytes = Vec::new();
                while let Some(quote @ ('"' | '\'')) = self.peek() {
                    self.string(quote, &mut bytes)?;
                }
                match String::from_utf8(bytes) {
                    Ok(text) if !text.contains(char::REPLACEMENT_CHARACTER) => {
                        Ok(Value::Text(text))
                    }
                    _ => Err(CaffeError::NotText { line: self.line }),
                }
            }
            Some(c) if c.is_ascii_digit() || matches!(c, '-' | '+' | '.') => {
                let signed = usize::from(matches!(c, '-' | '+'));
                let mut before = c;
                let number = self.rest[signed..].find(|c: char| {
                    // The sign of an exponent belongs to the number.
                    let exponent = matches!(c, '-' | '+') && matches!(before, 'e' | 'E');
                    before = c;
                    !(c.is_ascii_alphanumeric() || c == '.' || exponent)
                });
                let (number, rest) =
                    self.rest.split_at(number.map_or(self.rest.len(), |n| n + signed));
                self.rest = rest;
                Ok(Value::Number(number))
            }
            _ => match self.word() {
                Some(word) => Ok(Value::Word(word)),
                None => Err(self.unexpected("a value")),
            },
        }
    }

    fn word(&mut self) -> Option<&'a str> {
        self.peek().filter(|c| c.is_ascii_alphabetic() || *c == '_')?;
        let end = self.rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        Some(word)
    }

    /// One quoted piece. Escapes may make any bytes; the whole is checked later.
    fn string(&mut self, quote: char, into: &mut Vec<u8>) -> Result<(), CaffeError> {
        let line = self.line;
        self.bump(quote);
        let mut chars = self.rest.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            match c {
                _ if c == quote => {
                    self.rest = &self.rest[at + 1..];
                    return Ok(());
                }
                '\n' => break,
                '\\' => {
                    let bad = CaffeError::BadEscape { line };
                    let Some((_, escaped)) = chars.next() else { break };
                    let (radix, longest, mut code) = match escaped {
                        'n' => (0, 0, u32::from(b'\n')),
                        't' => (0, 0, u32::from(b'\t')),
                        'r' => (0, 0, u32::from(b'\r')),
                        '\\' | '\'' | '"' | '?' => (0, 0, u32::from(escaped)),
                        '0'..='7' => (8, 2, escaped.to_digit(8).unwrap_or(0)),
                        'x' | 'X' => (16, 2, 0),
                        _ => return Err(bad),
                    };
                    let mut digits = 0;
                    while let Some(digit) = chars
                        .peek()
                        .and_then(|(_, c)| c.to_digit(radix.max(2)))
                        .filter(|_| digits < longest)
                    {
                        code = code * radix + digit;
                        digits += 1;
                        chars.next();
                    }
                    if radix == 16 && digits == 0 {
                        return Err(bad);
                    }
                    into.push(u8::try_from(code).map_err(|_| bad)?);
                }
                _ => into.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        Err(CaffeError::UnclosedString { line })
    }

    /// The next character that means something.
    fn peek(&mut self) -> Option<char> {
        loop {
            let c = self.rest.chars().next()?;
            match c {
                '#' => {
                    let end = self.rest.find('\n').unwrap_or(self.rest.len());
                    self.rest = &self.rest[end..];
                }
                '\n' => {
                    self.line = self.line.saturating_add(1);
                    self.rest = &self.rest[1..];
                }
                _ if c.is_whitespace() => self.rest = &self.rest[c.len_utf8()..],
                _ => return Some(c),
            }
        }
    }

    /// Goes past a character that was seen, all of which are one byte long.
    fn bump(&mut self, seen: char) {
        self.rest = &self.rest[seen.len_utf8()..];
    }

    fn unexpected(&mut self, expected: &'static str) -> CaffeError {
        let found = self.peek();
        CaffeError::Syntax { line: self.line, expected, found }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(message: &Message<'_>) -> String {
        let one = |field: &Field<'_>| match &field.value {
            Value::Message(inner) => format!("{}@{}{{{}}}", field.name, field.line, shown(inner)),
            other => format!("{}@{}={}", field.name, field.line, other.shown()),
        };
        message.fields.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(parse(text).map(|m| shown(&m)).unwrap_or_else(|e| e.to_string()), expected);
    }

    #[test]
    fn fields_of_every_kind_keep_their_line() {
        check(
            "a: 1\nb: -2.5e-3 c: MAX # d: 3\n\ne { f: true }",
            "a@1=1 b@2=-2.5e-3 c@2=MAX e@4{f@4=true}",
        );
        check("a: { b: 1; c: 2, }\nd < e: .5f >", "a@1{b@1=1 c@1=2} d@2{e@2=.5f}");
        check(
            "a: [1, 2\n, 3] b: [] c: [{d: 1}, {d: 2}]",
            "a@1=1 a@1=2 a@1=3 c@2{d@2=1} c@2{d@2=2}",
        );
        check(r#"a: "x\"\n\101\x42" 'y'  b: ''"#, r#"a@1="x\"\nABy" b@1="""#);
        check("\u{feff}a: -inf b: 0x1F", "a@1=-inf b@1=0x1F");
        check("# über\na: \"ü\"", "a@2=\"ü\"");
        check("", "");
    }

    #[test]
    fn what_is_no_text_format_is_refused_with_its_line() {
        check("a: 1\nb {\n c: 2\n", "line 2: the brace that opens here is not closed");
        check("a: 1\n}", "line 2: expected the name of a field, found '}'");
        check("a 1", "line 1: expected `:` or `{` after the name of a field, found '1'");
        check("a:\n", "line 2: expected a value, found the end of the file");
        check("a: \"b\nc: 1", "line 1: the string that opens here does not end on its line");
        check(r#"a: "\q""#, "line 1: a string has an escape that the text format does not know");
        check(r#"a: "\377""#, "line 1: a string is not UTF-8");
        check("a: [1 2]", "line 1: expected `,` or `]`, found '2'");
        check(&"a{".repeat(100_000), "line 1: messages are nested more than 64 deep");
    }
}
