use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;

use crate::error::{BundleError, JsonProblem};
use crate::section::SectionId;

/// Reads JSON whose every object has exactly the keys of its type.
///
/// serde also takes an array for a struct and lets optional keys be absent. The
/// format allows neither, or two readers could read one manifest differently.
pub(crate) fn read_strict<T: DeserializeOwned + Serialize>(
    section: SectionId,
    text: &str,
) -> Result<T, BundleError> {
    let wrong = |source| BundleError::Json { section, source };
    let value: T = serde_json::from_str(text).map_err(wrong)?;
    let given: Value = serde_json::from_str(text).map_err(wrong)?;
    let full = serde_json::to_value(&value).map_err(wrong)?;
    match first_difference(&given, &full) {
        None => Ok(value),
        Some(Difference { path, problem }) => {
            Err(BundleError::JsonShape { section, key: path.join("."), problem })
        }
    }
}

/// Checks that text is one JSON object and nothing else.
pub(crate) fn check_object(section: SectionId, text: &str) -> Result<(), BundleError> {
    serde_json::from_str::<IgnoredAny>(text)
        .map_err(|source| BundleError::Json { section, source })?;
    if text.trim_ascii_start().starts_with('{') {
        Ok(())
    } else {
        let problem = JsonProblem::NotAnObject;
        Err(BundleError::JsonShape { section, key: String::new(), problem })
    }
}

/// A place where JSON is not what its type writes.
struct Difference {
    /// Keys from the root.
    path: Vec<String>,
    problem: JsonProblem,
}

/// `given` has been read as the type that wrote `full`, so it has no key and no
/// scalar too many.
fn first_difference(given: &Value, full: &Value) -> Option<Difference> {
    let below = |key: String, given, full| {
        let mut difference = first_difference(given, full)?;
        difference.path.insert(0, key);
        Some(difference)
    };
    match (given, full) {
        (Value::Object(given), Value::Object(full)) => {
            full.iter().find_map(|(key, full)| match given.get(key) {
                Some(given) => below(key.clone(), given, full),
                None => Some(Difference { path: vec![key.clone()], problem: JsonProblem::Missing }),
            })
        }
        (Value::Array(given), Value::Array(full)) => given
            .iter()
            .zip(full)
            .enumerate()
            .find_map(|(index, (given, full))| below(index.to_string(), given, full)),
        (_, Value::Object(_)) => {
            Some(Difference { path: Vec::new(), problem: JsonProblem::NotAnObject })
        }
        _ => None,
    }
}
