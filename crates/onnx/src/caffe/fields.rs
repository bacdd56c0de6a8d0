//! Typed reading of a message's fields. What nobody asked for is an error, as in
//! Caffe: a setting that is ignored would be another network.

use std::str::FromStr;

use super::error::CaffeError;
use super::text::{Field, Message, Value};

/// A message that is being read. Absent parameters read as an empty message.
pub(super) struct Fields<'m, 'a> {
    message: Option<&'m Message<'a>>,
    asked: Vec<&'static str>,
}

impl<'m, 'a> Fields<'m, 'a> {
    pub fn of(message: Option<&'m Message<'a>>) -> Self {
        Fields { message, asked: Vec::new() }
    }

    /// All fields of that name.
    pub fn all(&mut self, name: &'static str) -> impl Iterator<Item = &'m Field<'a>> + use<'m, 'a> {
        self.asked.push(name);
        self.message.into_iter().flat_map(|m| &m.fields).filter(move |f| f.name == name)
    }

    /// The only field of that name.
    pub fn one(&mut self, name: &'static str) -> Result<Option<&'m Field<'a>>, CaffeError> {
        let mut all = self.all(name);
        let first = all.next();
        match all.next() {
            None => Ok(first),
            Some(again) => Err(CaffeError::Twice { line: again.line, field: name.to_owned() }),
        }
    }

    pub fn message(&mut self, name: &'static str) -> Result<Option<&'m Message<'a>>, CaffeError> {
        self.one(name)?.map(message).transpose()
    }

    pub fn messages(&mut self, name: &'static str) -> Result<Vec<&'m Message<'a>>, CaffeError> {
        self.all(name).map(message).collect()
    }

    pub fn text(&mut self, name: &'static str) -> Result<Option<&'m str>, CaffeError> {
        self.one(name)?.map(text).transpose()
    }

    pub fn texts(&mut self, name: &'static str) -> Result<Vec<&'m str>, CaffeError> {
        self.all(name).map(text).collect()
    }

    pub fn count(&mut self, name: &'static str) -> Result<Option<u64>, CaffeError> {
        self.one(name)?.map(count).transpose()
    }

    pub fn counts(&mut self, name: &'static str) -> Result<Vec<u64>, CaffeError> {
        self.all(name).map(count).collect()
    }

    pub fn int(&mut self, name: &'static str) -> Result<Option<i64>, CaffeError> {
        self.one(name)?.map(int).transpose()
    }

    pub fn ints(&mut self, name: &'static str) -> Result<Vec<i64>, CaffeError> {
        self.all(name).map(int).collect()
    }

    pub fn number(&mut self, name: &'static str, default: f32) -> Result<f32, CaffeError> {
        Ok(self.one(name)?.map(number).transpose()?.unwrap_or(default))
    }

    pub fn numbers(&mut self, name: &'static str) -> Result<Vec<f32>, CaffeError> {
        self.all(name).map(number).collect()
    }

    pub fn flag(&mut self, name: &'static str, default: bool) -> Result<bool, CaffeError> {
        let Some(field) = self.one(name)? else { return Ok(default) };
        match field.value {
            Value::Word("true" | "t" | "True") | Value::Number("1") => Ok(true),
            Value::Word("false" | "f" | "False") | Value::Number("0") => Ok(false),
            _ => Err(wrong(field, "true or false")),
        }
    }

    /// One of several words; an enum's number counts as the word at that place.
    pub fn word(
        &mut self,
        name: &'static str,
        words: &'static [&'static str],
        expected: &'static str,
    ) -> Result<Option<&'static str>, CaffeError> {
        let Some(field) = self.one(name)? else { return Ok(None) };
        let found = match field.value {
            Value::Word(word) => words.iter().find(|w| **w == word),
            Value::Number(n) => n.parse().ok().and_then(|n: usize| words.get(n)),
            _ => None,
        };
        found.copied().map(Some).ok_or_else(|| wrong(field, expected))
    }

    /// Fields that are known to change nothing when a network only runs.
    pub fn ignore(&mut self, names: &[&'static str]) {
        self.asked.extend_from_slice(names);
    }

    pub fn asked_for(&self, name: &str) -> bool {
        self.asked.contains(&name)
    }

    /// The first field that nobody asked for.
    pub fn unread(&self) -> Option<&'m Field<'a>> {
        self.message?.fields.iter().find(|f| !self.asked_for(f.name))
    }
}

pub(super) fn message<'m, 'a>(field: &'m Field<'a>) -> Result<&'m Message<'a>, CaffeError> {
    match &field.value {
        Value::Message(message) => Ok(message),
        _ => Err(wrong(field, "a message in braces")),
    }
}

fn text<'m>(field: &'m Field<'_>) -> Result<&'m str, CaffeError> {
    match &field.value {
        Value::Text(text) => Ok(text),
        _ => Err(wrong(field, "a string in quotes")),
    }
}

fn count(field: &Field<'_>) -> Result<u64, CaffeError> {
    // Lengths and products of a few of them stay far inside of 64 bits.
    whole(field)
        .filter(|n| *n <= 1 << 31)
        .and_then(|n| u64::try_from(n).ok())
        .ok_or_else(|| wrong(field, "a whole number from 0 to 2147483648"))
}

fn int(field: &Field<'_>) -> Result<i64, CaffeError> {
    whole(field)
        .filter(|n| n.abs() <= 1 << 31)
        .ok_or_else(|| wrong(field, "a whole number from -2147483648 to 2147483648"))
}

fn whole(field: &Field<'_>) -> Option<i64> {
    let Value::Number(text) = field.value else { return None };
    match text.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
    .filter(|n: &i64| *n != i64::MIN)
}

fn number(field: &Field<'_>) -> Result<f32, CaffeError> {
    let Value::Number(text) = field.value else { return Err(wrong(field, "a number")) };
    let text = text.strip_suffix(['f', 'F']).filter(|_| !text.contains("inf")).unwrap_or(text);
    f32::from_str(text)
        .ok()
        .filter(|n| n.is_finite())
        .ok_or_else(|| wrong(field, "a finite number"))
}

fn wrong(field: &Field<'_>, expected: &'static str) -> CaffeError {
    CaffeError::Value {
        line: field.line,
        field: field.name.to_owned(),
        found: field.value.shown(),
        expected,
    }
}
