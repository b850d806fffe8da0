//! APIs made up at run time, which document and route operations as the derive macro would.

use std::{cell::RefCell, collections::HashMap};

use monocloud_backend::{Bearer, Policy, Require};
use poem::{
    EndpointExt, Request, Response,
    endpoint::{BoxEndpoint, make},
    http::Method,
};
use poem_openapi::{
    __private::join_path,
    ApiExtractor, ApiResponse, ExtractParamOptions, OpenApi,
    registry::{MetaApi, MetaOperation, MetaPath, Registry},
};

/// A header that names the operation that answered.
pub(crate) const ANSWERED_BY: &str = "x-operation";

#[derive(Clone, Debug)]
pub(crate) struct Operation {
    /// Whether it belongs to the second API of the tuple.
    pub(crate) is_in_second: bool,
    pub(crate) prefix: Option<&'static str>,
    pub(crate) path: String,
    pub(crate) method: Method,
    pub(crate) is_hidden: bool,
    pub(crate) needs: Needs,
}

/// What an operation declares.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Needs {
    Nothing,
    AnyToken,
    /// Declared on the argument, so for documented operations only.
    ReadScope,
    WriteType,
}

pub(crate) struct Writers;

impl Require for Writers {
    const POLICY: Policy = Policy::ANY_TOKEN.scopes(&["posts:write"]);
}

impl Operation {
    /// The path in the document, and the path of the route.
    pub(crate) fn paths(&self) -> (String, String) {
        let (mut documented, mut routed) = (String::new(), String::new());
        let mut parameters = 0;
        for segment in self.path.split('/').filter(|segment| !segment.is_empty()) {
            match segment.strip_prefix(':') {
                Some(name) => {
                    documented += &format!("/{{{name}}}");
                    routed += &format!("/:param{parameters}");
                    parameters += 1;
                }
                None => {
                    documented += &format!("/{segment}");
                    routed += &format!("/{segment}");
                }
            }
        }
        let finished = |path: String| {
            let path = if path.is_empty() { "/".to_owned() } else { path };
            self.prefix.map_or(path.clone(), |prefix| join_path(prefix, &path))
        };
        (finished(documented), finished(routed))
    }

    fn meta(&self) -> MetaOperation {
        let (schemes, scopes) = match self.needs {
            Needs::Nothing => (vec![], vec![]),
            Needs::AnyToken => (<Bearer as ApiExtractor>::security_schemes(), vec![]),
            Needs::ReadScope => (<Bearer as ApiExtractor>::security_schemes(), vec!["posts:read"]),
            Needs::WriteType => (<Bearer<Writers> as ApiExtractor>::security_schemes(), vec![]),
        };
        let security = schemes.into_iter().map(|name| HashMap::from([(name, scopes.clone())]));
        MetaOperation {
            method: self.method.clone(),
            tags: vec![],
            summary: None,
            description: None,
            external_docs: None,
            params: vec![],
            request: None,
            responses: <() as ApiResponse>::meta(),
            deprecated: false,
            security: security.collect(),
            operation_id: None,
            code_samples: vec![],
        }
    }

    /// Takes the arguments that it declares, and then names itself.
    fn endpoint(&self, index: usize) -> BoxEndpoint<'static> {
        let needs = self.needs;
        let endpoint = make(move |request: Request| async move {
            let (request, mut body) = request.split();
            match needs {
                Needs::Nothing => {}
                Needs::AnyToken | Needs::ReadScope => {
                    <Bearer>::from_request(&request, &mut body, options()).await?;
                }
                Needs::WriteType => {
                    <Bearer<Writers>>::from_request(&request, &mut body, options()).await?;
                }
            }
            poem::Result::<_>::Ok(Response::builder().header(ANSWERED_BY, index).finish())
        });
        endpoint.boxed()
    }
}

fn options() -> ExtractParamOptions<()> {
    ExtractParamOptions {
        name: "",
        default_value: None,
        example_value: None,
        explode: true,
        style: None,
        ignore_case: false,
    }
}

thread_local! {
    /// `OpenApi::meta` is static, and one test runs on one thread.
    static OPERATIONS: RefCell<Vec<Operation>> = const { RefCell::new(Vec::new()) };
}

pub(crate) fn describe(operations: Vec<Operation>) {
    OPERATIONS.set(operations);
}

/// The first or the second API.
pub(crate) struct Described<const SECOND: bool>;

impl<const SECOND: bool> Described<SECOND> {
    fn operations() -> Vec<(usize, Operation)> {
        let all = OPERATIONS.with_borrow(Clone::clone).into_iter().enumerate();
        all.filter(|(_, operation)| operation.is_in_second == SECOND).collect()
    }
}

impl<const SECOND: bool> OpenApi for Described<SECOND> {
    fn meta() -> Vec<MetaApi> {
        let mut paths: Vec<MetaPath> = Vec::new();
        for (_, operation) in Self::operations() {
            if operation.is_hidden {
                continue;
            }
            let (path, _) = operation.paths();
            match paths.iter_mut().find(|known| known.path == path) {
                Some(known) => known.operations.push(operation.meta()),
                None => paths.push(MetaPath { path, operations: vec![operation.meta()] }),
            }
        }
        vec![MetaApi { paths }]
    }

    fn register(registry: &mut Registry) {
        <Bearer as ApiExtractor>::register(registry);
        <Bearer<Writers> as ApiExtractor>::register(registry);
    }

    fn add_routes(self, table: &mut HashMap<String, HashMap<Method, BoxEndpoint<'static>>>) {
        for (index, operation) in Self::operations() {
            let endpoint = operation.endpoint(index);
            table.entry(operation.paths().1).or_default().insert(operation.method, endpoint);
        }
    }
}
