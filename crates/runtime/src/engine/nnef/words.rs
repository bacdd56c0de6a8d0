//! Reads the words of a graph fast.
//!
//! The engine's own parser takes each expression twice, and what is nested in it
//! four and eight times: for MobileNetV2 that is a fifth of all the time to open
//! it. This one reads what the engine writes without ever looking back, into
//! the same types; whatever else NNEF allows it leaves to the engine.

use tract_nnef::ast::{
    Argument, Assignment, Document, Identifier, Invocation, LValue, Literal, RValue, TypeName,
    parse::parse_document,
};
use tract_onnx::prelude::TractResult;

/// How deep expressions may nest: a hostile text must not exhaust the stack.
const DEPTH: usize = 16;

/// The same as the engine's `parse_document`.
pub(super) fn document(text: &str) -> TractResult<Document> {
    match split(text).and_then(|(before, body)| Some((before, Words { rest: body }.body()?))) {
        Some((before, body)) => {
            let mut document = parse_document(&format!("{before}{{ }}"))?;
            document.graph_def.body = body;
            Ok(document)
        }
        None => parse_document(text),
    }
}

/// What stands before the graph's body, and the body without its braces.
fn split(text: &str) -> Option<(&str, &str)> {
    let graph = text.find("\ngraph ")?;
    let open = graph + text[graph..].find('{')?;
    let body = text[open + 1..].trim_end().strip_suffix('}')?;
    Some((&text[..open], body))
}

struct Words<'a> {
    rest: &'a str,
}

/// Each returns nothing where it does not understand.
impl<'a> Words<'a> {
    fn body(mut self) -> Option<Vec<Assignment>> {
        let mut body = Vec::new();
        loop {
            self.skip_space();
            if self.rest.is_empty() {
                return Some(body);
            }
            let left = self.left()?;
            self.take('=')?;
            let right = self.expression(0)?;
            self.take(';')?;
            body.push(Assignment { left, right });
        }
    }

    fn left(&mut self) -> Option<LValue> {
        if !self.takes('(') {
            return Some(LValue::Identifier(Identifier(self.name()?.to_owned())));
        }
        let mut names = Vec::new();
        loop {
            names.push(LValue::Identifier(Identifier(self.name()?.to_owned())));
            if self.takes(')') {
                return Some(LValue::Tuple(names));
            }
            self.take(',')?;
        }
    }

    fn expression(&mut self, depth: usize) -> Option<RValue> {
        if depth > DEPTH {
            return None;
        }
        self.skip_space();
        let value = match self.rest.bytes().next()? {
            b'(' => {
                let mut values = self.list('(', ')', depth)?;
                if values.len() == 1 { values.remove(0) } else { RValue::Tuple(values) }
            }
            b'[' => RValue::Array(self.list('[', ']', depth)?),
            b'"' => RValue::Literal(Literal::String(self.string()?.to_owned())),
            b'-' | b'0'..=b'9' => RValue::Literal(Literal::Numeric(self.number()?.to_owned())),
            _ => self.named(depth)?,
        };
        // An operator may follow, or a subscript: not written by the engine.
        self.skip_space();
        self.rest.starts_with([',', ';', ')', ']']).then_some(value)
    }

    fn list(&mut self, open: char, close: char, depth: usize) -> Option<Vec<RValue>> {
        self.take(open)?;
        let mut values = Vec::new();
        if self.takes(close) {
            return Some(values);
        }
        loop {
            values.push(self.expression(depth + 1)?);
            if self.takes(close) {
                return Some(values);
            }
            self.take(',')?;
        }
    }

    /// A tensor, a truth value or a call.
    fn named(&mut self, depth: usize) -> Option<RValue> {
        let name = self.name()?;
        let generic_type_name = if self.takes('<') {
            let name = match self.name()? {
                "scalar" => TypeName::Scalar,
                "integer" => TypeName::Integer,
                "logical" => TypeName::Logical,
                "string" => TypeName::String,
                _ => return None,
            };
            self.take('>')?;
            Some(name)
        } else {
            None
        };
        if self.takes('(') {
            let id = Identifier(name.to_owned());
            let arguments = self.arguments(depth)?;
            return Some(RValue::Invocation(Invocation { id, generic_type_name, arguments }));
        }
        match name {
            _ if generic_type_name.is_some() => None,
            "true" => Some(RValue::Literal(Literal::Logical(true))),
            "false" => Some(RValue::Literal(Literal::Logical(false))),
            // Numbers and words that the engine would cut short.
            _ if ["inf", "true", "false"].iter().any(|word| name.starts_with(word)) => None,
            "for" | "in" | "if" => None,
            _ => Some(RValue::Identifier(Identifier(name.to_owned()))),
        }
    }

    /// Up to and with the closing parenthesis.
    fn arguments(&mut self, depth: usize) -> Option<Vec<Argument>> {
        let mut arguments = Vec::new();
        if self.takes(')') {
            return Some(arguments);
        }
        loop {
            let before = self.rest;
            let id = match self.name() {
                Some(name) if self.takes('=') => Some(Identifier(name.to_owned())),
                _ => {
                    self.rest = before;
                    None
                }
            };
            let rvalue = self.expression(depth + 1)?;
            arguments.push(Argument { id, rvalue });
            if self.takes(')') {
                return Some(arguments);
            }
            self.take(',')?;
        }
    }

    fn name(&mut self) -> Option<&'a str> {
        self.skip_space();
        let end = self
            .rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        self.rest = rest;
        Some(name)
    }

    fn number(&mut self) -> Option<&'a str> {
        let bytes = self.rest.as_bytes();
        let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
        let sign = usize::from(bytes[0] == b'-');
        let mut end = sign + digits(sign);
        if end == sign {
            return None;
        }
        if bytes.get(end) == Some(&b'.') {
            end += 1 + digits(end + 1);
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'-' | b'+')));
            let exponent = digits(end + 1 + sign);
            if exponent == 0 {
                return None;
            }
            end += 1 + sign + exponent;
        }
        let (number, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some(number)
    }

    /// Without the quotes; one with an escape is not understood.
    fn string(&mut self) -> Option<&'a str> {
        let text = self.rest.strip_prefix('"')?;
        let end = text.find(['"', '\\', '\''])?;
        let (string, rest) = text.split_at(end);
        self.rest = rest.strip_prefix('"')?;
        Some(string)
    }

    fn take(&mut self, letter: char) -> Option<()> {
        self.takes(letter).then_some(())
    }

    fn takes(&mut self, letter: char) -> bool {
        self.skip_space();
        match self.rest.strip_prefix(letter) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "version 1.0;\n\nextension tract_registry tract_core;\n\nfragment p(\n) -> (r: (string, tensor<scalar>)[])\n{\n  r = [(\"a\", \"b\")];\n}\n\ngraph network(x) -> (y)";

    #[track_caller]
    fn reads_alike(body: &str, by_itself: bool) {
        let text = format!("{BEFORE} {{\n{body}\n}}\n");
        let expected = parse_document(&text).map_err(|e| e.to_string());
        assert_eq!(document(&text).map_err(|e| e.to_string()), expected, "{body}");
        let (_, body) = split(&text).unwrap();
        let own = Words { rest: body }.body();
        assert_eq!(own.is_some(), by_itself, "{body}");
    }

    #[test]
    fn what_the_engine_writes_is_read_as_the_engine_reads_it() {
        for body in [
            "",
            "x = external(shape = [1, 3, 224, 224]);",
            // The name that every input has here begins with a word of NNEF.
            "input = external(shape = [1, 3]);\n n1 = f(input);\n y = input;",
            "y = f(format, interior, iffy);",
            "n1 = variable<scalar>(label = \"n1.fix_b\", shape = [32, 3]);",
            "n3 = conv(x, n1, n2, dilation = [1, 1], border = \"constant\", padding = [(1, 1), (0, 2)]);",
            "n4 = [[[[0.0, -1.5e-7]]]];",
            "(a, b) = split(x, axis = 0, ratios = [1, 1]);",
            "m = matmul(a, b, transposeA = false, transposeB = true);",
            "c = tract_core_cast(8, to = \"i64\");",
            "e = f(); y = e;",
            "t = f((1), (), []);\n  u = t ;",
        ] {
            reads_alike(body, true);
        }
    }

    #[test]
    fn what_it_does_not_know_is_left_to_the_engine() {
        for body in [
            "y = a + b;",
            "y = a[1];",
            "y = [for i in a yield i];",
            "y = f('quoted');",
            "y = \"a\\\"b\";",
            "y = 1 if a else 2;",
            "y = inf;",
            "y = information;",
            "y = truest;",
            "y = in;",
            "y = f(x;",
            "y = 1e;",
            "# a remark\n y = x;",
        ] {
            reads_alike(body, false);
        }
        let deep = format!("y = {}1{};", "[".repeat(17), "]".repeat(17));
        assert_eq!(Words { rest: &deep }.body(), None);
    }
}
