//! Where in a `model.toml` a thing stands, so that every complaint has a line.

use std::ops::Range;

use graft_spec::ImageSpec;
use serde::de::{DeserializeOwned, IntoDeserializer};
use toml::Spanned;
use toml::de::{DeTable, DeValue, Error};

use super::{Fetch, SpecProblem};

type Fault = (usize, SpecProblem);
type Section<'a> = Spanned<DeValue<'a>>;

/// The keys of a file and the bytes that their values take.
pub(super) struct Positions<'a> {
    text: &'a str,
    keys: Vec<(String, Range<usize>)>,
}

/// The whole file, its sections taken out one by one.
pub(super) struct Root<'a>(Spanned<DeTable<'a>>);

impl<'a> Root<'a> {
    pub(super) fn take(&mut self, section: &str) -> Option<Section<'a>> {
        self.0.get_mut().remove(section)
    }
}

impl<'a> Positions<'a> {
    pub(super) fn of(text: &'a str) -> Result<(Root<'a>, Positions<'a>), Fault> {
        let mut positions = Positions { text, keys: Vec::new() };
        let root = DeTable::parse(text).map_err(|e| positions.fault("", &e))?;
        for (key, value) in root.get_ref() {
            let key = key.get_ref();
            positions.keys.push((key.to_string(), value.span()));
            for (inner, value) in value.get_ref().as_table().into_iter().flatten() {
                positions.keys.push((format!("{key}.{}", inner.get_ref()), value.span()));
            }
        }
        Ok((Root(root), positions))
    }

    /// Of a key such as `input.mean`; of the section if the key isn't there.
    pub(super) fn line_of(&self, key: &str) -> usize {
        let find = |wanted: &str| self.keys.iter().find(|(key, _)| key == wanted);
        let section = || find(key.split('.').next()?);
        find(key).or_else(section).map_or(1, |(_, span)| self.line(span.start))
    }

    pub(super) fn missing(&self, section: &str) -> Fault {
        (1, SpecProblem::Toml { key: String::new(), message: format!("missing [{section}]") })
    }

    pub(super) fn top<T: DeserializeOwned>(&self, root: Root<'a>) -> Result<T, Fault> {
        T::deserialize(root.0.into_deserializer()).map_err(|e| self.fault("", &e))
    }

    pub(super) fn section<T: DeserializeOwned>(
        &self,
        name: &str,
        section: Section<'a>,
    ) -> Result<T, Fault> {
        T::deserialize(section.into_deserializer()).map_err(|e| self.fault(name, &e))
    }

    /// The `[input]`: a tensor's name and an [`ImageSpec`].
    pub(super) fn input(
        &self,
        mut section: Section<'a>,
    ) -> Result<(Option<String>, ImageSpec), Fault> {
        let tensor = take(&mut section, "tensor");
        let tensor = tensor.map(|t| self.section("input", t)).transpose()?;
        Ok((tensor, self.section("input", section)?))
    }

    /// The `[fetch]`, which is of a kind.
    pub(super) fn fetch(&self, mut section: Section<'a>) -> Result<Fetch, Fault> {
        let line = self.line_of("fetch.kind");
        let Some(kind) = take(&mut section, "kind") else {
            return Err((line, SpecProblem::NoKind));
        };
        let kind: String = self.section("fetch", kind)?;
        Ok(match kind.as_str() {
            "pip" => Fetch::Pip(self.section("fetch", section)?),
            "pip-sdist" => Fetch::PipSdist(self.section("fetch", section)?),
            "url" => Fetch::Url(self.section("fetch", section)?),
            "url-archive" => Fetch::UrlArchive(self.section("fetch", section)?),
            "file" => Fetch::File(self.section("fetch", section)?),
            _ => return Err((line, SpecProblem::Kind { kind })),
        })
    }

    fn fault(&self, section: &str, error: &Error) -> Fault {
        let start = error.span().map_or(0, |span| span.start);
        // The innermost value that the error lies in; a key lies in its section's.
        let within = self.keys.iter().filter(|(_, span)| span.contains(&start));
        let key = within.map(|(key, _)| key.as_str()).max_by_key(|key| key.matches('.').count());
        let message = error.message().lines().collect::<Vec<_>>().join(", ");
        let key = key.unwrap_or(section).to_owned();
        (self.line(start), SpecProblem::Toml { key, message })
    }

    fn line(&self, offset: usize) -> usize {
        1 + self.text.bytes().take(offset).filter(|b| *b == b'\n').count()
    }
}

fn take<'a>(section: &mut Section<'a>, key: &str) -> Option<Section<'a>> {
    match section.get_mut() {
        DeValue::Table(table) => table.remove(key),
        _ => None,
    }
}
