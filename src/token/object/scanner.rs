//! Finds the values of a JSON text (RFC 8259).
//!
//! What tokens are full of is read here: names, strings without escapes, integers. Escapes and other
//! numbers are left to `serde_json`.

use memchr::memchr2;
use serde_json::Value;

use super::node::{Node, NotAnObject, Part};
use crate::token::json::{MAX_DEPTH, PRIVATE_PREFIX};

/// The position in a text, and what was found before it.
pub(super) struct Scanner<'t> {
    text: &'t str,
    at: usize,
    /// Whether the text has any control character; most have none.
    has_controls: bool,
    pub(super) unescaped: String,
    pub(super) nodes: Vec<Node>,
}

impl<'t> Scanner<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            text,
            at: 0,
            has_controls: text.bytes().fold(false, |found, byte| found | (byte < 0x20)),
            unescaped: String::new(),
            // What hardly any token exceeds; a long text alone takes no more.
            nodes: Vec::with_capacity((8 + text.len() / 14).min(64)),
        }
    }

    /// Reads an object with nothing but white space around it.
    pub(super) fn only_object(&mut self) -> Result<(), NotAnObject> {
        self.expect(b'{')?;
        self.object(1)?;
        match self.next() {
            None => Ok(()),
            Some(_) => Err(NotAnObject),
        }
    }

    /// Reads a value that sits inside `depth` objects and arrays.
    fn value(&mut self, depth: usize) -> Result<(), NotAnObject> {
        match self.next().ok_or(NotAnObject)? {
            b'"' => self.string(),
            b'{' if depth < MAX_DEPTH => self.object(depth + 1),
            b'[' if depth < MAX_DEPTH => self.array(depth + 1),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.word("rue", Node::Bool(true)),
            b'f' => self.word("alse", Node::Bool(false)),
            b'n' => self.word("ull", Node::Null),
            _ => Err(NotAnObject),
        }
    }

    /// Reads what follows the opening brace.
    fn object(&mut self, depth: usize) -> Result<(), NotAnObject> {
        let begun = self.begin();
        let mut next = self.next();
        if next != Some(b'}') {
            loop {
                if next != Some(b'"') {
                    return Err(NotAnObject);
                }
                self.string()?;
                if self.last_string().starts_with(PRIVATE_PREFIX) {
                    return Err(NotAnObject);
                }
                self.expect(b':')?;
                self.value(depth)?;
                match self.next() {
                    Some(b',') => next = self.next(),
                    Some(b'}') => break,
                    _ => return Err(NotAnObject),
                }
            }
        }
        self.end(begun, Node::Object);
        Ok(())
    }

    /// Reads what follows the opening bracket.
    fn array(&mut self, depth: usize) -> Result<(), NotAnObject> {
        let begun = self.begin();
        let first = self.at;
        if self.next() != Some(b']') {
            self.at = first;
            loop {
                self.value(depth)?;
                match self.next() {
                    Some(b',') => {}
                    Some(b']') => break,
                    _ => return Err(NotAnObject),
                }
            }
        }
        self.end(begun, Node::Array);
        Ok(())
    }

    /// Reads what follows the opening quotation mark.
    fn string(&mut self) -> Result<(), NotAnObject> {
        let start = self.at;
        let mut is_escaped = false;
        loop {
            let rest = self.text.as_bytes().get(self.at..).ok_or(NotAnObject)?;
            let found = memchr2(b'"', b'\\', rest).ok_or(NotAnObject)?;
            if rest.get(found) == Some(&b'"') {
                self.at += found + 1;
                break;
            }
            is_escaped = true;
            self.at += found + 2;
        }
        let end = self.at - 1;
        if is_escaped {
            let quoted = self.text.get(start - 1..=end).ok_or(NotAnObject)?;
            let string: String = serde_json::from_str(quoted).map_err(|_| NotAnObject)?;
            self.nodes.push(Node::Unescaped(Part::new(self.unescaped.len(), string.len())));
            self.unescaped.push_str(&string);
            return Ok(());
        }
        if self.has_controls {
            let string = self.text.as_bytes().get(start..end).ok_or(NotAnObject)?;
            if string.iter().any(|byte| *byte < 0x20) {
                return Err(NotAnObject);
            }
        }
        self.nodes.push(Node::Text(Part::new(start, end - start)));
        Ok(())
    }

    /// Reads a number, of which the first character was taken.
    fn number(&mut self) -> Result<(), NotAnObject> {
        let start = self.at - 1;
        let rest = self.text.get(start..).ok_or(NotAnObject)?;
        let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
        let length = rest.bytes().take_while(is_part).count();
        let number = rest.get(..length).ok_or(NotAnObject)?;
        self.at = start + length;
        let node = match number.as_bytes() {
            [b'1'..=b'9', others @ ..] if others.iter().all(u8::is_ascii_digit) => {
                number.parse().ok().map(Node::Unsigned)
            }
            _ => None,
        };
        let node = match node {
            Some(node) => node,
            None => {
                let number: Value = serde_json::from_str(number).map_err(|_| NotAnObject)?;
                node_of(&number).ok_or(NotAnObject)?
            }
        };
        self.nodes.push(node);
        Ok(())
    }

    /// Reads what is left of a word.
    fn word(&mut self, rest: &str, node: Node) -> Result<(), NotAnObject> {
        let text = self.text.get(self.at..).ok_or(NotAnObject)?;
        if !text.starts_with(rest) {
            return Err(NotAnObject);
        }
        self.at += rest.len();
        self.nodes.push(node);
        Ok(())
    }

    /// Takes the next character that is not white space.
    fn next(&mut self) -> Option<u8> {
        loop {
            let byte = *self.text.as_bytes().get(self.at)?;
            self.at += 1;
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(byte);
            }
        }
    }

    fn expect(&mut self, expected: u8) -> Result<(), NotAnObject> {
        match self.next() {
            Some(found) if found == expected => Ok(()),
            _ => Err(NotAnObject),
        }
    }

    /// Adds an array or an object, whose nodes follow.
    fn begin(&mut self) -> usize {
        self.nodes.push(Node::Null);
        self.nodes.len()
    }

    fn end(&mut self, begun: usize, node: fn(u32) -> Node) {
        let count = self.nodes.len() - begun;
        if let Some(begun) = self.nodes.get_mut(begun - 1) {
            *begun = node(count as u32);
        }
    }

    fn last_string(&self) -> &str {
        let found = match self.nodes.last() {
            Some(Node::Text(part)) => self.text.get(part.range()),
            Some(Node::Unescaped(part)) => self.unescaped.get(part.range()),
            _ => None,
        };
        found.unwrap_or_default()
    }
}

/// A number, if it is one within the range of `f64`, whatever features `serde_json` has.
fn node_of(number: &Value) -> Option<Node> {
    let unsigned = number.as_u64().map(Node::Unsigned);
    let integer = unsigned.or_else(|| number.as_i64().map(Node::Signed));
    let finite = || number.as_f64().filter(|number| number.is_finite());
    integer.or_else(|| finite().map(Node::Fraction))
}
