//! A JSON object in a compact form: its text, and a node for each name and value.
//!
//! It is read once, as strictly as [`json`](super::json) reads one. Its strings are parts of the text, and
//! only those that the text escapes are copied.

mod node;
mod scanner;

use std::{fmt, iter};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

pub(crate) use self::node::NotAnObject;
use self::{
    node::{Node, Part},
    scanner::Scanner,
};

/// A JSON object without duplicate members at any depth.
#[derive(Default)]
pub(crate) struct Object {
    text: String,
    /// The strings that the text escapes, one after the other.
    unescaped: String,
    /// In the order of the text, the object itself first. Names are strings before their values.
    nodes: Vec<Node>,
}

/// What an allocation takes beside its content, in bytes: its header, and rounding up.
const ALLOCATION: usize = 16;

impl Object {
    /// Reads an object that has no duplicate member at any depth and nests at most
    /// [`json::MAX_DEPTH`](super::json) levels, with nothing after it.
    pub(crate) fn parse(text: String) -> Result<Self, NotAnObject> {
        // A text has fewer nodes than bytes, and no string is longer.
        if u32::try_from(text.len()).is_err() {
            return Err(NotAnObject);
        }
        let mut scanner = Scanner::new(&text);
        scanner.only_object()?;
        let Scanner { unescaped, nodes, .. } = scanner;
        let object = Self { text, unescaped, nodes };
        if object.has_duplicates() { Err(NotAnObject) } else { Ok(object) }
    }

    /// A member by its name.
    pub(crate) fn get(&self, name: &str) -> Option<Item<'_>> {
        self.root().get(name)
    }

    /// The same object for those who want values of their own.
    pub(crate) fn to_map(&self) -> Map<String, Value> {
        self.root().to_map()
    }

    /// Reads it into a type.
    pub(crate) fn deserialize<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        T::deserialize(&mut serde_json::Deserializer::from_str(&self.text))
    }

    /// The memory that it occupies beside its own value, in bytes.
    pub(crate) fn heap_size(&self) -> usize {
        let nodes = self.nodes.capacity() * size_of::<Node>();
        [self.text.capacity(), self.unescaped.capacity(), nodes]
            .into_iter()
            .map(|size| if size == 0 { 0 } else { ALLOCATION + size })
            .sum()
    }

    const fn root(&self) -> Item<'_> {
        Item { object: self, at: 0 }
    }

    fn node(&self, at: usize) -> Node {
        self.nodes.get(at).copied().unwrap_or(Node::Null)
    }

    fn string(&self, at: usize) -> Option<&str> {
        let (source, part) = self.source(self.nodes.get(at)?)?;
        source.get(part.range())
    }

    /// Where a string is, if the node is one.
    fn source(&self, node: &Node) -> Option<(&str, Part)> {
        match *node {
            Node::Text(part) => Some((&self.text, part)),
            Node::Unescaped(part) => Some((&self.unescaped, part)),
            _ => None,
        }
    }

    /// The node after a value and all that belongs to it.
    fn after(&self, at: usize) -> usize {
        at + 1 + self.node(at).nested()
    }

    /// Whether a name is this one. Most names differ in their lengths.
    fn is_name(&self, found: &Node, name: &str) -> bool {
        self.source(found).is_some_and(|(source, part)| {
            part.has_length(name.len())
                && source.as_bytes().get(part.range()) == Some(name.as_bytes())
        })
    }

    fn has_duplicates(&self) -> bool {
        self.nodes.iter().enumerate().any(|(at, node)| {
            matches!(node, Node::Object(_)) && has_duplicates(Item { object: self, at }.names())
        })
    }
}

/// Whether a name stands twice.
fn has_duplicates<'o>(mut names: impl Iterator<Item = &'o str>) -> bool {
    /// So many names are compared each with each, without an allocation.
    const FEW: usize = 16;

    let mut few = [""; FEW];
    let mut count = 0;
    for (place, name) in few.iter_mut().zip(&mut names) {
        *place = name;
        count += 1;
    }
    let few = few.get(..count).unwrap_or_default();
    if count < FEW {
        let is_earlier = |(index, name)| few.iter().take(index).any(|earlier| earlier == name);
        return few.iter().enumerate().any(is_earlier);
    }
    let mut many: Vec<_> = few.iter().copied().chain(names).collect();
    many.sort_unstable();
    many.windows(2).any(|pair| matches!(pair, [one, next] if one == next))
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root().fmt(f)
    }
}

/// A value in an [`Object`].
#[derive(Clone, Copy)]
pub(crate) struct Item<'o> {
    object: &'o Object,
    at: usize,
}

impl<'o> Item<'o> {
    pub(crate) fn as_str(self) -> Option<&'o str> {
        self.object.string(self.at)
    }

    pub(crate) fn as_f64(self) -> Option<f64> {
        match self.node() {
            Node::Unsigned(number) => Some(number as f64),
            Node::Signed(number) => Some(number as f64),
            Node::Fraction(number) => Some(number),
            _ => None,
        }
    }

    pub(crate) fn is_string(self) -> bool {
        matches!(self.node(), Node::Text(_) | Node::Unescaped(_))
    }

    pub(crate) fn is_array(self) -> bool {
        matches!(self.node(), Node::Array(_))
    }

    pub(crate) fn is_null(self) -> bool {
        matches!(self.node(), Node::Null)
    }

    /// The elements of an array; none of anything else.
    pub(crate) fn elements(self) -> impl Iterator<Item = Self> + use<'o> {
        let count = match self.node() {
            Node::Array(nodes) => nodes as usize,
            _ => 0,
        };
        let (object, end) = (self.object, self.at + 1 + count);
        let mut at = self.at + 1;
        iter::from_fn(move || {
            let element = Item { object, at };
            (at < end).then(|| {
                at = object.after(at);
                element
            })
        })
    }

    /// A member of an object by its name.
    pub(crate) fn get(self, name: &str) -> Option<Self> {
        let object = self.object;
        let Node::Object(count) = self.node() else { return None };
        let mut at = self.at + 1;
        let mut members = object.nodes.get(at..at + count as usize)?;
        while let [found, value, ..] = members {
            if object.is_name(found, name) {
                return Some(Self { object, at: at + 1 });
            }
            let nodes = 2 + value.nested();
            at += nodes;
            members = members.get(nodes..)?;
        }
        None
    }

    /// Where the names of an object are, each before its value; none of anything else.
    fn members(self) -> impl Iterator<Item = usize> + use<'o> {
        let count = match self.node() {
            Node::Object(nodes) => nodes as usize,
            _ => 0,
        };
        let (object, end) = (self.object, self.at + 1 + count);
        let mut next = self.at + 1;
        iter::from_fn(move || {
            let at = next;
            (at < end).then(|| {
                next = object.after(at + 1);
                at
            })
        })
    }

    fn names(self) -> impl Iterator<Item = &'o str> + use<'o> {
        let object = self.object;
        self.members().filter_map(|at| object.string(at))
    }

    fn to_map(self) -> Map<String, Value> {
        let object = self.object;
        let member = |at| {
            let name = object.string(at).unwrap_or_default();
            (name.to_owned(), Item { object, at: at + 1 }.to_value())
        };
        self.members().map(member).collect()
    }

    pub(crate) fn to_value(self) -> Value {
        match self.node() {
            Node::Null => Value::Null,
            Node::Bool(value) => value.into(),
            Node::Unsigned(number) => number.into(),
            Node::Signed(number) => number.into(),
            Node::Fraction(number) => number.into(),
            Node::Text(_) | Node::Unescaped(_) => self.as_str().into(),
            Node::Array(_) => self.elements().map(Item::to_value).collect(),
            Node::Object(_) => self.to_map().into(),
        }
    }

    fn node(self) -> Node {
        self.object.node(self.at)
    }
}

/// Compared as values: the order of members does not count.
impl PartialEq<Value> for Item<'_> {
    fn eq(&self, other: &Value) -> bool {
        match (self.as_str(), other) {
            (Some(text), Value::String(other)) => text == other,
            _ => self.to_value() == *other,
        }
    }
}

impl fmt::Debug for Item<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_value().fmt(f)
    }
}

/// As JSON.
impl fmt::Display for Item<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_value().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};
    use serde_json::json;

    use super::*;
    use crate::token::json;

    fn parsed(text: &str) -> Option<Object> {
        Object::parse(text.to_owned()).ok()
    }

    fn object(value: &Value) -> Object {
        parsed(&value.to_string()).unwrap()
    }

    #[test]
    fn a_member_is_found_by_its_name_whatever_stands_before_it() {
        let object = object(&json!({
            "a": [{"c": 1}, [2], "c"], "b": {"a": {"c": 3}, "d": "e"}, "c": "f", "\u{fc}\n": -1.5,
        }));
        assert_eq!(object.get("c").unwrap().as_str(), Some("f"));
        assert_eq!(object.get("b").unwrap().get("d").unwrap().as_str(), Some("e"));
        assert_eq!(object.get("\u{fc}\n").unwrap().as_f64(), Some(-1.5));
        assert_eq!(object.get("a").unwrap().elements().count(), 3);
        assert!(object.get("d").is_none() && object.get("").is_none());
        assert!(object.get("c").unwrap().get("f").is_none());
        assert!(Object::default().get("a").is_none());
    }

    #[test]
    fn a_value_is_what_it_is_and_nothing_else() {
        let object =
            object(&json!({"s": "a", "n": null, "b": true, "l": [], "i": -1, "u": 1, "f": 0.5}));
        let item = |name| object.get(name).unwrap();
        for (name, string, array, null, number) in [
            ("s", true, false, false, None),
            ("n", false, false, true, None),
            ("b", false, false, false, None),
            ("l", false, true, false, None),
            ("i", false, false, false, Some(-1.0)),
            ("u", false, false, false, Some(1.0)),
            ("f", false, false, false, Some(0.5)),
        ] {
            let item = item(name);
            assert_eq!((item.is_string(), item.is_array(), item.is_null()), (string, array, null));
            assert_eq!(item.as_f64(), number, "{name}");
            assert_eq!(item.as_str().is_some(), string, "{name}");
        }
    }

    #[test]
    fn it_shows_and_compares_as_the_value_that_it_is() {
        let value = json!({"a": ["b", {"c": 1, "d": null}], "e": "f"});
        let object = object(&json!({"v": value, "e": "f"}));
        let item = object.get("v").unwrap();
        assert!(item == value && item != json!({}) && item != json!("f"));
        assert!(object.get("e").unwrap() == json!("f") && object.get("e").unwrap() != json!("g"));
        assert_eq!(item.to_string(), value.to_string());
        assert_eq!(format!("{item:?}"), format!("{value:?}"));
    }

    #[test]
    fn what_it_occupies_is_what_it_has_allocated() {
        assert_eq!(Object::default().heap_size(), 0);
        let plain = object(&json!({"a": "b".repeat(1000)}));
        assert!((1_000..3_000).contains(&plain.heap_size()), "{}", plain.heap_size());
        let escaped = object(&json!({"a": "\n".repeat(1000)}));
        assert!((3_000..6_000).contains(&escaped.heap_size()), "{}", escaped.heap_size());
    }

    /// Names that many members of one object have.
    #[test]
    fn a_name_stands_once_among_few_and_among_many() {
        for count in [1, 15, 16, 17, 18, 300] {
            let names: Vec<_> = (0..count).map(|number| format!(r#""{number}":0"#)).collect();
            assert!(parsed(&format!("{{{}}}", names.join(","))).is_some(), "{count}");
            for again in [0, count / 2, count - 1] {
                let text = format!("{{{},\"{again}\":0}}", names.join(","));
                assert!(parsed(&text).is_none(), "{again} of {count}");
            }
        }
    }

    /// Texts that are nearly JSON: values with members and elements repeated, and pieces exchanged.
    fn text() -> impl Strategy<Value = String> {
        let piece = select(vec![
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"a\"",
            "\"b\"",
            "\"\\u0061\"",
            "\"\\ud800\"",
            "null",
            "true",
            "0",
            "-0",
            "1.5",
            "1e999",
            "18446744073709551616",
            " ",
            "\n",
            "\u{fc}",
            "\"\u{fc}\"",
            "\"$serde_json::private::Number\"",
            "\"$serde_json::private::RawValue\"",
            "x",
        ]);
        let leaf =
            select(vec!["null", "0", "-1", "1.5", "\"a\"", "\"\\n\"", "1e999", "\"\u{fc}\""]);
        let value = leaf.prop_map(str::to_owned).prop_recursive(5, 40, 4, |inner| {
            let names = select(vec!["a", "b", "c", "d", "\\u0061", "$serde_json::private::Number"]);
            prop_oneof![
                vec(inner.clone(), 0..4).prop_map(|elements| format!("[{}]", elements.join(","))),
                vec((names, inner), 0..4).prop_map(|members| {
                    let members: Vec<_> =
                        members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
                    format!("{{{}}}", members.join(","))
                }),
            ]
        });
        prop_oneof![
            2 => value.clone(),
            2 => value.prop_map(|value| format!("{{\"o\":{value},\"p\":[{value}]}}")),
            1 => vec(piece, 0..12).prop_map(|pieces| pieces.concat()),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn it_reads_what_the_strict_parser_reads_and_rejects_what_that_rejects(text in text()) {
            let expected = json::parse_object(text.as_bytes()).ok();
            let found = Object::parse(text).ok();
            prop_assert_eq!(&found.as_ref().map(Object::to_map), &expected);
            if let (Some(found), Some(expected)) = (found, expected) {
                for (name, value) in &expected {
                    prop_assert!(found.get(name).unwrap() == *value);
                }
                prop_assert_eq!(found.deserialize::<Map<String, Value>>().unwrap(), expected);
            }
        }

        #[test]
        fn nesting_ends_where_it_ends_for_the_strict_parser(levels in 28_usize..38, is_list: bool) {
            let (open, close) = if is_list { ("[", "]") } else { ("{\"a\":", "}") };
            let text = format!("{{\"a\":{}0{}}}", open.repeat(levels), close.repeat(levels));
            prop_assert_eq!(Object::parse(text.clone()).is_ok(), json::parse_object(text.as_bytes()).is_ok());
        }
    }
}
