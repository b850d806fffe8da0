//! The operations of a document.

use std::collections::BTreeMap;

use http::Method;
use serde_json::{Map, Value};

use crate::document::{
    DocumentError, Operation, Parameter, RequestBody, Scheme, Security, extensions,
    limits::Copies,
    pointer::{Place, chain},
    schemes, security, servers,
};

const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// Members of a path item that are none of its methods (OpenAPI 3.2 §4.9).
const ADDITIONAL: &str = "additionalOperations";

pub(super) struct Reader<'d> {
    root: &'d Map<String, Value>,
    has_query: bool,
    schemes: BTreeMap<String, Scheme>,
    copies: &'d Copies,
}

/// An object of the document, with its place.
type Found<'d> = (&'d Map<String, Value>, Place);

impl<'d> Reader<'d> {
    pub(super) fn new(
        root: &'d Map<String, Value>,
        version: &str,
        copies: &'d Copies,
    ) -> Result<Self, DocumentError> {
        extensions::check_names(root, &[], &Place::default())?;
        let has_query = version.starts_with("3.2");
        Ok(Self { root, has_query, schemes: schemes::read(root)?, copies })
    }

    pub(super) fn title(&self) -> Option<String> {
        self.root.get("info")?.get("title")?.as_str().map(str::to_owned)
    }

    pub(super) fn into_schemes(self) -> BTreeMap<String, Scheme> {
        self.schemes
    }

    pub(super) fn default_security(&self) -> Result<Option<Security>, DocumentError> {
        let security = self.root.get("security");
        security.map(|it| security::read(it, &Place::default().at("security"))).transpose()
    }

    pub(super) fn operations(&self) -> Result<Vec<Operation>, DocumentError> {
        let place = Place::default().at("paths");
        let paths = match self.root.get("paths") {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(Value::Object(paths)) => paths,
            Some(_) => return Err(DocumentError::new(&place, "not an object")),
        };
        let mut operations = Vec::new();
        for (path, item) in paths.iter().filter(|(path, _)| !path.starts_with("x-")) {
            let place = place.at(path);
            if !path.starts_with('/') {
                return Err(DocumentError::new(&place, "a path begins with `/`"));
            }
            self.item(path, item, place, &mut operations)?;
        }
        Ok(operations)
    }

    fn item(
        &self,
        path: &str,
        item: &Value,
        place: Place,
        operations: &mut Vec<Operation>,
    ) -> Result<(), DocumentError> {
        if item.is_null() {
            return Ok(());
        }
        let item = self.objects(item, place)?;
        let mut methods = BTreeMap::new();
        for (members, place) in &item {
            for ((rank, method), operation, place) in self.methods(members, place)? {
                self.copies.add(1, &place)?;
                if methods.contains_key(&rank) {
                    return Err(DocumentError::new(
                        &place,
                        "the path has this method twice, by `$ref` or by `additionalOperations`",
                    ));
                }
                methods.insert(rank, (method, operation, place));
            }
        }
        for (method, operation, place) in methods.into_values() {
            operations.push(self.operation(path, method, operation, place, &item)?);
        }
        Ok(())
    }

    /// The methods of a path item.
    fn methods(
        &self,
        item: &'d Map<String, Value>,
        place: &Place,
    ) -> Result<Methods<'d>, DocumentError> {
        extensions::check_names(item, &[], place)?;
        let mut methods = Vec::new();
        for (name, value) in item {
            let lower = name.to_ascii_lowercase();
            let is_method = METHODS.contains(&lower.as_str()) || self.has_query && lower == "query";
            let place = place.at(name);
            if name == "security" {
                let problem = "it has no effect on a path; write it in each operation";
                return Err(DocumentError::new(&place, problem));
            }
            if is_method && *name != lower {
                return Err(DocumentError::new(&place, "methods are written in lower case"));
            }
            if is_method {
                methods.push((method(&lower.to_ascii_uppercase(), &place)?, value, place));
            }
        }
        let additional = item.get(ADDITIONAL).filter(|_| self.has_query);
        for (name, value) in additional.and_then(Value::as_object).into_iter().flatten() {
            let place = place.at(ADDITIONAL).at(name);
            methods.push((method(name, &place)?, value, place));
        }
        Ok(methods)
    }

    fn operation(
        &self,
        path: &str,
        method: Method,
        operation: &'d Value,
        place: Place,
        item: &[Found<'d>],
    ) -> Result<Operation, DocumentError> {
        let (members, place) = self.object(operation, place)?;
        let text = |name: &str| members.get(name).and_then(Value::as_str).map(str::to_owned);
        let own = members.get("security");
        let own = own.map(|it| security::read(it, &place.at("security"))).transpose()?;
        let mut security = match own {
            Some(own) => own,
            None => self.default_security()?.unwrap_or(Security::Public),
        };
        security::extend(&mut security, members, &self.schemes, &place)?;
        let servers = [members].into_iter().chain(item.iter().map(|(members, _)| *members));
        let mut servers = servers.chain([self.root]).filter_map(|it| it.get("servers"));
        Ok(Operation {
            method,
            path: path.to_owned(),
            base_path: servers.find_map(servers::base_path).unwrap_or_default(),
            id: text("operationId"),
            summary: text("summary"),
            deprecated: members.get("deprecated") == Some(&Value::Bool(true)),
            security,
            parameters: self.parameters(members, &place, item)?,
            request_body: self.request_body(members, &place)?,
            responses: self.responses(members, &place)?,
        })
    }

    /// Those of the operation replace those of its path that have the same name and location.
    fn parameters(
        &self,
        operation: &'d Map<String, Value>,
        place: &Place,
        item: &[Found<'d>],
    ) -> Result<Vec<Parameter>, DocumentError> {
        let mut parameters: Vec<Parameter> = Vec::new();
        let own = [(operation, place)];
        let of_item = item.iter().map(|(members, place)| (*members, place));
        for (members, place) in own.into_iter().chain(of_item) {
            let place = place.at("parameters");
            let listed = members.get("parameters").and_then(Value::as_array);
            for (index, value) in listed.into_iter().flatten().enumerate() {
                let (members, place) = self.object(value, place.at(&index.to_string()))?;
                let text = |name: &str| {
                    let missing = || DocumentError::new(&place.at(name), "missing, or not a text");
                    members.get(name).and_then(Value::as_str).ok_or_else(missing)
                };
                let (name, location) = (text("name")?, text("in")?);
                let mut known = parameters.iter();
                if known.any(|it| it.name == name && it.location == location) {
                    continue;
                }
                parameters.push(Parameter {
                    name: name.to_owned(),
                    location: location.to_owned(),
                    required: is_true(members, "required"),
                    members: self.members(members, &place)?,
                });
            }
        }
        Ok(parameters)
    }

    fn request_body(
        &self,
        operation: &'d Map<String, Value>,
        place: &Place,
    ) -> Result<Option<RequestBody>, DocumentError> {
        let Some(body) = operation.get("requestBody") else { return Ok(None) };
        let (members, place) = self.object(body, place.at("requestBody"))?;
        let mut content = BTreeMap::new();
        for (name, value) in members.get("content").and_then(Value::as_object).into_iter().flatten()
        {
            let (members, place) = self.object(value, place.at("content").at(name))?;
            content.insert(name.clone(), self.members(members, &place)?.into());
        }
        Ok(Some(RequestBody { required: is_true(members, "required"), content }))
    }

    /// Whatever a response is, it does not change who may call: a broken reference is left as it is.
    fn responses(
        &self,
        operation: &'d Map<String, Value>,
        place: &Place,
    ) -> Result<BTreeMap<String, Value>, DocumentError> {
        let mut responses = BTreeMap::new();
        let listed = operation.get("responses").and_then(Value::as_object);
        for (status, response) in listed.into_iter().flatten() {
            let place = place.at("responses").at(status);
            let chain = chain(self.root, response, place.clone());
            let target = chain.ok().and_then(|chain| chain.last().map(|(value, _)| *value));
            let response = self.copies.copy(target.unwrap_or(response), &place)?;
            responses.insert(status.clone(), response);
        }
        Ok(responses)
    }

    /// The object that a value is or refers to. What is beside a reference, such as a description, is
    /// no part of it.
    fn object(&self, value: &'d Value, place: Place) -> Result<Found<'d>, DocumentError> {
        let mut objects = self.objects(value, place.clone())?;
        match (objects.pop(), objects.as_slice()) {
            (Some(target), beside) => {
                let changes = |(members, place): &Found<'_>| {
                    let name = members.keys().find(|name| is_of_security(name))?;
                    Some(DocumentError::new(&place.at(name), "it has no effect beside a `$ref`"))
                };
                beside.iter().find_map(changes).map_or(Ok(target), Err)
            }
            (None, _) => Err(DocumentError::new(&place, "not an object")),
        }
    }

    /// The objects that a value is and refers to, one after the other.
    fn objects(&self, value: &'d Value, place: Place) -> Result<Vec<Found<'d>>, DocumentError> {
        let object = |(value, place): (&'d Value, Place)| match value.as_object() {
            Some(members) => Ok((members, place)),
            None => Err(DocumentError::new(&place, "not an object")),
        };
        chain(self.root, value, place)?.into_iter().map(object).collect()
    }

    fn members(
        &self,
        members: &'d Map<String, Value>,
        place: &Place,
    ) -> Result<Map<String, Value>, DocumentError> {
        let copy = |(name, value): (&String, &Value)| {
            Ok((name.clone(), self.copies.copy(value, &place.at(name))?))
        };
        members.iter().map(copy).collect()
    }
}

/// Where a method stands among others: in the order of `METHODS`, and then by name.
type Rank = (usize, String);

type Methods<'d> = Vec<((Rank, Method), &'d Value, Place)>;

fn method(name: &str, place: &Place) -> Result<(Rank, Method), DocumentError> {
    let method = Method::from_bytes(name.as_bytes())
        .map_err(|_| DocumentError::new(place, "not the name of a method"))?;
    let known = METHODS.iter().position(|it| it.eq_ignore_ascii_case(name));
    Ok(((known.unwrap_or(METHODS.len()), name.to_owned()), method))
}

fn is_true(members: &Map<String, Value>, name: &str) -> bool {
    members.get(name) == Some(&Value::Bool(true))
}

fn is_of_security(name: &str) -> bool {
    name == "security" || name.get(..12).is_some_and(|it| it.eq_ignore_ascii_case("x-monocloud-"))
}
