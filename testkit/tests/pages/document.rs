//! A page as a browser's parser reads it.

use std::collections::BTreeMap;

use html5ever::{parse_document, tendril::TendrilSink as _};
use markup5ever_rcdom::{Handle, NodeData, RcDom};

/// The elements of a page, in their order.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) elements: Vec<Element>,
    /// What the parser had to repair.
    pub(crate) mistakes: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) attributes: BTreeMap<String, String>,
    /// With that of its children.
    pub(crate) text: String,
}

impl Document {
    pub(crate) fn parse(text: &str) -> Self {
        let dom = parse_document(RcDom::default(), Default::default()).one(text);
        let mut elements = Vec::new();
        collect(&dom.document, &mut elements);
        let mistakes = dom.errors.borrow().iter().map(|mistake| mistake.to_string()).collect();
        Self { elements, mistakes }
    }

    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.elements.iter().filter(move |element| element.name == name)
    }

    #[track_caller]
    pub(crate) fn one<'a>(&'a self, name: &'a str) -> &'a Element {
        let found: Vec<_> = self.all(name).collect();
        assert_eq!(found.len(), 1, "elements {name} in {self:?}");
        found[0]
    }

    pub(crate) fn by_id(&self, id: &str) -> Option<&Element> {
        self.elements.iter().find(|element| element.attribute("id") == Some(id))
    }

    /// The value of a hidden field.
    #[track_caller]
    pub(crate) fn value(&self, name: &str) -> String {
        let mut inputs = self.all("input");
        let input = inputs.find(|input| input.attribute("name") == Some(name));
        let value = input.and_then(|input| input.attribute("value"));
        value.unwrap_or_else(|| panic!("no field {name} in {self:?}")).to_owned()
    }
}

impl Element {
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }
}

/// Collects the elements, and returns the text.
fn collect(node: &Handle, elements: &mut Vec<Element>) -> String {
    let place = elements.len();
    if let NodeData::Element { name, attrs, .. } = &node.data {
        let attributes = attrs.borrow();
        let attributes = attributes.iter();
        elements.push(Element {
            name: name.local.to_string(),
            attributes: attributes
                .map(|it| (it.name.local.to_string(), it.value.to_string()))
                .collect(),
            text: String::new(),
        });
    }
    let mut text = match &node.data {
        NodeData::Text { contents } => contents.borrow().to_string(),
        _ => String::new(),
    };
    for child in node.children.borrow().iter() {
        text.push_str(&collect(child, elements));
    }
    if matches!(node.data, NodeData::Element { .. }) {
        elements[place].text.clone_from(&text);
    }
    text
}
