//! JSON from strangers: no member twice, no deep nesting.
//!
//! RFC 7519 §4 lets a parser keep the last of two members with one name. Two parsers that choose
//! differently read two different tokens, so this one rejects them, at every depth.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value, map::Entry};

/// How deep objects and arrays may nest.
pub(super) const MAX_DEPTH: usize = 32;

/// What member names begin with that mean something to `serde_json` itself: under one of them it
/// hands out fractions and huge numbers where another crate of the program turned on
/// `arbitrary_precision`, and under another `Value` reads text as JSON. A stranger who writes one is rejected.
pub(super) const PRIVATE_PREFIX: &str = "$serde_json::private::";

/// Reads a JSON object that has no duplicate member at any depth and nests at most
/// [`MAX_DEPTH`] levels; the bytes must be UTF-8, with nothing after the object.
pub(crate) fn parse_object(bytes: &[u8]) -> Result<Map<String, Value>, serde_json::Error> {
    match parse_value(bytes, MAX_DEPTH)? {
        Value::Object(members) => Ok(members),
        _ => Err(Error::custom("not an object")),
    }
}

/// Reads any JSON value as strictly, nested at most `max_depth` levels.
pub(crate) fn parse_value(bytes: &[u8], max_depth: usize) -> Result<Value, serde_json::Error> {
    // Checking UTF-8 at once is cheaper than string by string.
    let text = str::from_utf8(bytes).map_err(Error::custom)?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = StrictValue { depth: 0, max_depth, place: None }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

/// Builds a [`Value`] that sits inside `depth` objects and arrays.
#[derive(Clone, Copy)]
pub(crate) struct StrictValue<'p> {
    depth: usize,
    max_depth: usize,
    /// Errors name it; those about a token must not.
    place: Option<&'p Place<'p>>,
}

/// Where a value is: at the root, or at a member or an element of another one.
#[derive(Clone, Copy)]
pub(crate) enum Place<'p> {
    #[cfg_attr(not(feature = "openapi"), allow(dead_code, reason = "documents have places"))]
    Root,
    Member(&'p Self, &'p str),
    Element(&'p Self, usize),
}

impl Place<'_> {
    /// The names and indices that lead to it from the root.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        let mut place = self;
        loop {
            place = match place {
                Self::Root => break,
                Self::Member(outer, name) => {
                    names.push((*name).to_owned());
                    outer
                }
                Self::Element(outer, index) => {
                    names.push(index.to_string());
                    outer
                }
            };
        }
        names.reverse();
        names
    }
}

/// Names joined by dots, such as `paths./posts.get`.
impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("the document"),
            place => f.write_str(&place.names().join(".")),
        }
    }
}

impl<'p> StrictValue<'p> {
    /// The value of a document, whose errors name their places.
    #[cfg(feature = "openapi")]
    pub(crate) fn of_a_document(max_depth: usize) -> Self {
        Self { depth: 0, max_depth, place: Some(&Place::Root) }
    }

    fn nested<E: Error>(self) -> Result<Self, E> {
        match self.depth + 1 {
            depth if depth <= self.max_depth => Ok(Self { depth, ..self }),
            _ => Err(self.error("nested too deeply")),
        }
    }

    fn at(self, place: Option<&'p Place<'p>>) -> Self {
        Self { place, ..self }
    }

    fn error<E: Error>(self, problem: &str) -> E {
        match self.place {
            None => E::custom(problem),
            Some(place) => E::custom(format_args!("{problem}: {place}")),
        }
    }
}

impl<'de> DeserializeSeed<'de> for StrictValue<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for StrictValue<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let element = self.nested()?;
        let mut array = Vec::new();
        loop {
            let place = self.place.map(|outer| Place::Element(outer, array.len()));
            let Some(value) = elements.next_element_seed(element.at(place.as_ref()))? else {
                return Ok(Value::Array(array));
            };
            array.push(value);
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        let mut next_name = members.next_key::<String>()?;
        if next_name.as_deref().is_some_and(|name| name.starts_with(PRIVATE_PREFIX)) {
            return members.next_value_seed(NumberText);
        }
        let member = self.nested()?;
        while let Some(name) = next_name {
            if name.starts_with(PRIVATE_PREFIX) {
                return Err(self.error("a member of serde_json's own"));
            }
            let place = self.place.map(|outer| Place::Member(outer, &name));
            let value = members.next_value_seed(member.at(place.as_ref()))?;
            match object.entry(name) {
                Entry::Vacant(entry) => entry.insert(value),
                Entry::Occupied(entry) => {
                    let place = self.place.map(|outer| Place::Member(outer, entry.key()));
                    return Err(self.at(place.as_ref()).error("the same member twice"));
                }
            };
            next_name = members.next_key()?;
        }
        Ok(Value::Object(object))
    }
}

/// Builds the number that `serde_json` hands out as text under `arbitrary_precision`.
///
/// It alone comes as an owned string. A string of the document is borrowed, and no number.
struct NumberText;

impl<'de> DeserializeSeed<'de> for NumberText {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for NumberText {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of serde_json's own")
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Value, E> {
        Err(E::custom("a member of serde_json's own"))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Value, E> {
        let number: Number = text.parse().map_err(E::custom)?;
        // Without `arbitrary_precision` a number beyond f64 is not a number.
        number
            .as_f64()
            .filter(|number| number.is_finite())
            .ok_or_else(|| E::custom("out of range"))?;
        Ok(number.into())
    }
}

#[cfg(test)]
mod tests {
    use serde::de::value::{Error as ValueError, MapDeserializer};

    use super::*;

    fn parses(json: &str) -> bool {
        parse_object(json.as_bytes()).is_ok()
    }

    #[test]
    fn an_object_reads_as_serde_json_reads_it() {
        let json = r#"{"a":[1,-2,1.5,true,null,"\u00fc"],"b":{"c":{}}}"#;
        assert_eq!(
            Value::Object(parse_object(json.as_bytes()).unwrap()),
            serde_json::from_str::<Value>(json).unwrap()
        );
    }

    #[test]
    fn integers_are_exact_within_64_bits_and_a_nearby_fraction_beyond() {
        let read = |number: &str| {
            let object = parse_object(format!("{{\"n\":{number}}}").as_bytes()).unwrap();
            object["n"].to_string()
        };
        for exact in ["-9223372036854775808", "9007199254740993", "18446744073709551615"] {
            assert_eq!(read(exact), exact);
        }
        let nearby: f64 = read("123456789012345678901234567890").parse().unwrap();
        assert_eq!(nearby, 123_456_789_012_345_678_901_234_567_890.0);
    }

    #[test]
    fn a_member_may_stand_once_at_every_depth() {
        assert!(!parses(r#"{"a":1,"a":1}"#));
        assert!(!parses(r#"{"a":[{"b":{"c":1,"d":2,"c":3}}]}"#));
        assert!(!parses(r#"{"a":1,"\u0061":2}"#));
        assert!(parses(r#"{"a":{"a":1},"b":{"a":1}}"#));
    }

    #[test]
    fn thirty_two_levels_are_allowed_and_one_more_is_not() {
        let nested = |levels: usize| {
            format!("{{\"a\":{}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1))
        };
        assert!(parses(&nested(32)));
        assert!(!parses(&nested(33)));
        assert!(!parses(&nested(100_000)));
    }

    #[test]
    fn only_a_single_object_of_strict_json_is_read() {
        for json in
            ["", "null", "[]", "\"a\"", "{} {}", "{}x", "\u{feff}{}", "{a:1}", "{\"a\":1e999}"]
        {
            assert!(!parses(json), "{json:?}");
        }
        assert!(parse_object(b"{\"a\":\"\xff\"}").is_err());
        assert!(!parses(r#"{"a":"\ud800"}"#));
        assert!(parses(" { } \n"));
    }

    /// Makes the calls that `serde_json` makes for a number under `arbitrary_precision`.
    fn arbitrary_precision(text: &str, depth: usize) -> Result<Value, ValueError> {
        let member = ("$serde_json::private::Number", text.to_owned());
        let value = StrictValue { depth, max_depth: MAX_DEPTH, place: None };
        value.deserialize(MapDeserializer::new([member].into_iter()))
    }

    #[test]
    fn numbers_read_the_same_when_another_crate_turns_on_arbitrary_precision() {
        for text in ["0", "-1", "1800000000", "1.5", "1e3", "18446744073709551615"] {
            let number: Value = serde_json::from_str(text).unwrap();
            assert_eq!(arbitrary_precision(text, 0), Ok(number.clone()), "{text}");
            assert_eq!(arbitrary_precision(text, MAX_DEPTH), Ok(number), "{text}");
        }
        for text in ["1e999", "-1e999", "", "1 ", "{}", "\"1\""] {
            assert!(arbitrary_precision(text, 0).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_document_cannot_use_the_names_that_are_serde_jsons_own() {
        for json in [
            r#"{"exp":{"$serde_json::private::Number":"1800000000"}}"#,
            r#"{"exp":{"\u0024serde_json::private::Number":"1800000000"}}"#,
            r#"{"exp":{"$serde_json::private::Number":"18\u0030"}}"#,
            r#"{"exp":{"$serde_json::private::Number":1}}"#,
            r#"{"exp":{"$serde_json::private::RawValue":"1"}}"#,
            r#"{"exp":{"a":1,"$serde_json::private::RawValue":"1"}}"#,
            r#"{"$serde_json::private::Number":"1"}"#,
            r#"{"a":1,"$serde_json::private::Number":"1"}"#,
        ] {
            assert!(!parses(json), "{json}");
        }
        assert!(parses(r#"{"a":"$serde_json::private::Number"}"#));
        let error = parse_object(br#"{"a":{"$serde_json::private::Number":1}}"#).unwrap_err();
        assert!(error.to_string().contains("a number of serde_json's own"), "{error}");
    }
}
