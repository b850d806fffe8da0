//! The order in which a document is written.
//!
//! `serde_json` sorts members by name. Its feature `preserve_order` would change that for the whole
//! program, and make the parsing of tokens slower; so a document keeps the order of its text beside
//! its members, and is served in it.

use std::{collections::BTreeSet, fmt};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, SeqAccess, Visitor},
    ser::{SerializeMap, SerializeSeq},
};
use serde_json::Value;

use super::pointer::tokens;

/// The names of an object's members in their order, or the elements of an array.
#[derive(Clone, Debug, Default)]
pub(crate) enum Order {
    #[default]
    Unknown,
    Object(Vec<(String, Self)>),
    /// The text of a `$ref`.
    Reference(String),
    Array(Vec<Self>),
}

impl Order {
    /// Follows the renaming of a path.
    pub(super) fn rename_path(&mut self, from: &str, to: &str) {
        let Self::Object(members) = self else { return };
        for (_, paths) in members.iter_mut().filter(|(name, _)| name == "paths") {
            let Self::Object(paths) = paths else { continue };
            for (path, _) in paths.iter_mut().filter(|(path, _)| path == from) {
                to.clone_into(path);
            }
        }
    }

    /// A document in this order. Members that the order does not know come last.
    pub(crate) fn of<'v>(&'v self, document: &'v Value) -> impl Serialize + 'v {
        Ordered { value: document, order: self, root: self }
    }

    fn members(&self) -> &[(String, Self)] {
        match self {
            Self::Object(members) => members,
            _ => &[],
        }
    }

    fn elements(&self) -> &[Self] {
        match self {
            Self::Array(elements) => elements,
            _ => &[],
        }
    }

    /// The order of what this object refers to.
    fn referenced<'o>(&self, root: &'o Self) -> Option<&'o Self> {
        let reference = self.members().iter().find_map(|(_, order)| match order {
            Self::Reference(reference) => Some(reference),
            _ => None,
        })?;
        tokens(reference)?.into_iter().try_fold(root, |order, token| {
            order.members().iter().find(|(name, _)| *name == token).map(|(_, order)| order)
        })
    }
}

struct Ordered<'v> {
    value: &'v Value,
    order: &'v Order,
    root: &'v Order,
}

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let at = |value, order| Ordered { value, order, root: self.root };
        match self.value {
            Value::Object(members) => {
                // What was referred to may have been copied here.
                let target = match members.contains_key("$ref") {
                    true => None,
                    false => self.order.referenced(self.root),
                };
                let target = target.map(Order::members).unwrap_or_default();
                let mut map = serializer.serialize_map(Some(members.len()))?;
                let mut written = BTreeSet::new();
                for (name, order) in target.iter().chain(self.order.members()) {
                    if let Some(value) = members.get(name).filter(|_| written.insert(name)) {
                        map.serialize_entry(name, &at(value, order))?;
                    }
                }
                for (name, value) in members.iter().filter(|(name, _)| !written.contains(name)) {
                    map.serialize_entry(name, &at(value, &Order::Unknown))?;
                }
                map.end()
            }
            Value::Array(elements) => {
                let mut orders = self.order.elements().iter();
                let mut array = serializer.serialize_seq(Some(elements.len()))?;
                for element in elements {
                    let order = orders.next().unwrap_or(&Order::Unknown);
                    array.serialize_element(&at(element, order))?;
                }
                array.end()
            }
            value => value.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Order {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OrderVisitor)
    }
}

struct OrderVisitor;

impl<'de> Visitor<'de> for OrderVisitor {
    type Value = Order;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON or YAML")
    }

    fn visit_unit<E>(self) -> Result<Order, E> {
        Ok(Order::Unknown)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Order, E> {
        Ok(Order::Unknown)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Order, E> {
        Ok(Order::Unknown)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Order, E> {
        Ok(Order::Unknown)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Order, E> {
        Ok(Order::Unknown)
    }

    fn visit_str<E>(self, _: &str) -> Result<Order, E> {
        Ok(Order::Unknown)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Order, A::Error> {
        let mut array = Vec::new();
        while let Some(element) = elements.next_element()? {
            array.push(element);
        }
        Ok(Order::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Order, A::Error> {
        let mut object = Vec::new();
        while let Some(name) = members.next_key::<String>()? {
            let order = match name.as_str() {
                "$ref" => match members.next_value()? {
                    Value::String(reference) => Order::Reference(reference),
                    _ => Order::Unknown,
                },
                _ => members.next_value()?,
            };
            object.push((name, order));
        }
        Ok(Order::Object(object))
    }
}
