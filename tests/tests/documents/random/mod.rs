//! Random APIs: no secured operation is reachable without what it needs, and no public one is
//! rejected, unless the API did not start and named it.

mod api;

use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
};

use monocloud_backend::{Policy, ProtectApi, poem_openapi::Secured};
use poem::{Route, http::Method};
use poem_openapi::OpenApiService;
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

use self::api::{ANSWERED_BY, Described, Needs, Operation, describe};
use crate::world::{Client, World};

/// Segments as they are declared, with the same letters in different roles.
const SEGMENTS: [&str; 9] =
    ["a", "7", ":x", ":param0", ":y<\\d+>", "{x}", "{param0}", "<\\d+>", "param0"];

const PREFIXES: [Option<&str>; 6] =
    [None, Some("/"), Some("a"), Some("/:p"), Some("/{x}"), Some(OWN_NAME)];

/// The name that poem-openapi gives to the first parameter of a route.
const OWN_NAME: &str = "/:param0/";

/// Values of parameters in requests.
const VALUES: [&str; 3] = ["7", "{x}", "q"];

/// Most of the random APIs contradict themselves somewhere and do not start.
const CASES: u32 = 1000;

#[derive(Clone, Debug)]
struct Case {
    operations: Vec<Operation>,
    has_default: bool,
    /// The operations that are listed as public, and whether with the path of the document.
    public: Vec<(usize, bool)>,
    /// The operations that are listed as hidden, with the scope to write.
    hidden: Vec<(usize, bool)>,
}

#[test]
fn no_secured_operation_is_reachable_and_no_public_one_is_rejected() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let world = runtime.block_on(World::new());
    let tokens =
        [vec!["posts:read", "posts:write"], vec![], vec!["posts:read"], vec!["posts:write"]];
    let tokens = tokens.map(|scopes| (world.token(&scopes.join(" ")), Some(scopes)));
    let tokens: Vec<Token> = tokens.into_iter().chain([(String::new(), None)]).collect();
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let started = Cell::new(0);
    let outcome = TestRunner::new(config).run(&case(), |case| {
        describe(case.operations.clone());
        let has_started = runtime.block_on(check(&case, &world.protect, &tokens))?;
        started.set(started.get() + u32::from(has_started));
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
    let started = started.get();
    assert!(started > CASES / 10, "only {started} of the APIs started");
}

/// A token and its scopes; empty for a request without one.
type Token = (String, Option<Vec<&'static str>>);

/// Checks that, if the API starts, each operation requires what it needs. Returns whether it starts.
async fn check(case: &Case, protect: &ProtectApi, tokens: &[Token]) -> Result<bool, TestCaseError> {
    // poem's router panics on some tables that hold regular expressions, depending on their order.
    let start = || secured(case, protect).into_service(|api| OpenApiService::new(api, "", ""));
    let started = catch_unwind(AssertUnwindSafe(|| {
        start().map(|(service, _)| Client::new(Route::new().nest("/", service)))
    }));
    let client = match started {
        Ok(Ok(client)) => client,
        Ok(Err(error)) => {
            // The problems name existing operations, and nothing is served.
            let is_accounted_for = |problem: &String| {
                problem.contains("it is listed as") || is_about_one_of(problem, case)
            };
            prop_assert!(error.problems().iter().all(is_accounted_for), "{error}");
            return Ok(false);
        }
        Err(_) => return Ok(false),
    };
    for request in requests(case) {
        // With all scopes, a routed operation answers.
        let (best, _) = &tokens[0];
        let open = answer(&client, &request, best).await;
        prop_assert!(matches!(open, (200, Some(_)) | (404 | 405, None)), "{request}: {open:?}");

        for (token, scopes) in tokens {
            let expected = match open.1.and_then(|index| needed(case, index)) {
                None => open,
                Some(needed) => match scopes {
                    None => (401, None),
                    Some(scopes) if needed.iter().all(|scope| scopes.contains(scope)) => open,
                    Some(_) => (403, None),
                },
            };
            let answer = answer(&client, &request, token).await;
            prop_assert_eq!(answer, expected, "{} with {:?}", request, scopes);
        }
    }
    Ok(true)
}

/// The scopes that a token needs to reach an operation; `None` if no token is needed.
fn needed(case: &Case, index: usize) -> Option<Vec<&'static str>> {
    let operation = &case.operations[index];
    let declared = match operation.needs {
        Needs::Nothing => None,
        Needs::AnyToken => Some(vec![]),
        Needs::ReadScope => Some(vec!["posts:read"]),
        Needs::WriteType => Some(vec!["posts:write"]),
    };
    let is_public = case.public.iter().any(|(listed, _)| {
        let listed = &case.operations[*listed];
        listed.method == operation.method && listed.paths() == operation.paths()
    });
    match (operation.is_hidden, is_public, declared) {
        (_, true, None) => None,
        // What the listing and the type require.
        (true, _, declared) => Some([vec!["posts:write"], declared.unwrap_or_default()].concat()),
        (false, _, Some(declared)) => Some(declared),
        // It answers only if there is a default.
        (false, false, None) => Some(vec!["posts:read"]),
    }
}

fn secured(case: &Case, protect: &ProtectApi) -> Secured<(Described<false>, Described<true>)> {
    let mut api = protect.secure((Described, Described));
    if case.has_default {
        api = api.by_default(Policy::ANY_TOKEN.scopes(&["posts:read"]));
    }
    let listings = |list: &[(usize, bool)]| -> Vec<(String, String)> {
        let written = |(index, as_documented): &(usize, bool)| {
            let operation = &case.operations[*index];
            let written = match operation.prefix {
                _ if *as_documented => operation.paths().0,
                None => operation.path.clone(),
                Some(prefix) => poem_openapi::__private::join_path(prefix, &operation.path),
            };
            (operation.method.to_string(), written)
        };
        list.iter().map(written).collect()
    };
    for (method, path) in listings(&case.public) {
        api = api.public(&method, &path);
    }
    for (method, path) in listings(&case.hidden) {
        api = api.hidden(&method, &path, Policy::ANY_TOKEN.scopes(&["posts:write"]));
    }
    api
}

/// The status, and which operation answered.
async fn answer(client: &Client, request: &str, token: &str) -> (u16, Option<usize>) {
    let response = client.send(request, token).await.0;
    let index = response.headers().get(ANSWERED_BY).and_then(|index| index.to_str().ok());
    (response.status().as_u16(), index.map(|index| index.parse().unwrap()))
}

/// Whether a problem names an operation by its path in the document or by that of its route.
fn is_about_one_of(problem: &str, case: &Case) -> bool {
    case.operations.iter().any(|operation| {
        let (documented, routed) = operation.paths();
        problem.starts_with(operation.method.as_str())
            && (problem.contains(&documented) || problem.contains(&routed))
    })
}

/// A request to each operation with each value, and one with each other method.
fn requests(case: &Case) -> Vec<String> {
    let mut requests = Vec::new();
    for operation in &case.operations {
        let (_, route) = operation.paths();
        for value in VALUES {
            let segments = route.split('/').map(|segment| match segment.as_bytes() {
                [b'<', ..] => "7",
                [b'*', ..] => "a/7",
                [b':', ..] => value,
                _ => segment,
            });
            let path = segments.collect::<Vec<_>>().join("/");
            for method in ["GET", "POST", "HEAD"] {
                requests.push(format!("{method} {path}"));
            }
        }
    }
    requests.sort();
    requests.dedup();
    requests
}

fn case() -> impl Strategy<Value = Case> {
    let operations = prop::collection::vec(operation(), 1..7).prop_map(routable);
    let public = prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..3);
    let hidden = prop::collection::vec(any::<Option<bool>>(), 7);
    (operations, any::<bool>(), public, hidden).prop_map(
        |(operations, has_default, public, hidden)| {
            let public = public.into_iter().map(|(at, words)| (at.index(operations.len()), words));
            // A hidden, public operation that takes a token answers 500, which is not reported.
            let asks =
                |at: usize| operations[at].is_hidden && operations[at].needs != Needs::Nothing;
            let public = public.filter(|(at, _)| !asks(*at));
            let hidden = operations.iter().zip(hidden).enumerate();
            let hidden = hidden.filter(|(_, (operation, _))| operation.is_hidden);
            let hidden = hidden.filter_map(|(at, (_, words))| Some((at, words?)));
            // A prefix with poem-openapi's own name for a parameter looks like a parameter, so a
            // listing of such an operation is a problem.
            let is_unmistakable =
                |(at, _): &(usize, bool)| operations[*at].prefix != Some(OWN_NAME);
            let public = public.filter(is_unmistakable).collect();
            let hidden = hidden.filter(is_unmistakable).collect();
            Case { public, hidden, operations, has_default }
        },
    )
}

fn operation() -> impl Strategy<Value = Operation> {
    let segments = prop::collection::vec(prop::sample::select(SEGMENTS.to_vec()), 0..3);
    let needs = prop::sample::select(vec![
        Needs::Nothing,
        Needs::AnyToken,
        Needs::ReadScope,
        Needs::WriteType,
    ]);
    let method = prop::sample::select(vec![Method::GET, Method::POST]);
    let prefix = prop::sample::select(PREFIXES.to_vec());
    let flags = (any::<bool>(), prop::bool::weighted(0.2), prop::bool::weighted(0.2));
    (segments, prefix, method, needs, flags).prop_map(
        |(mut segments, prefix, method, needs, (is_in_second, is_hidden, has_rest))| {
            // The macro does not accept a name twice.
            let mut names = Vec::new();
            segments.retain(|segment| {
                !segment.starts_with(':') || {
                    let is_new = !names.contains(segment);
                    names.push(segment);
                    is_new
                }
            });
            segments.extend(has_rest.then_some("*rest"));
            let needs = match needs {
                Needs::ReadScope if is_hidden => Needs::WriteType,
                needs => needs,
            };
            let path = format!("/{}", segments.join("/"));
            Operation { is_in_second, prefix, path, method, is_hidden, needs }
        },
    )
}

/// Removes hidden operations that would replace another on the same route: poem-openapi's table has
/// room for one, and does not show that there was another.
fn routable(operations: Vec<Operation>) -> Vec<Operation> {
    let is_same_route = |one: &Operation, other: &Operation| {
        one.method == other.method && one.paths().1 == other.paths().1
    };
    let mut kept: Vec<Operation> = Vec::new();
    for operation in operations {
        let rivals = kept.iter().filter(|rival| is_same_route(rival, &operation));
        if rivals.into_iter().all(|rival| !rival.is_hidden && !operation.is_hidden) {
            kept.push(operation);
        }
    }
    kept
}
