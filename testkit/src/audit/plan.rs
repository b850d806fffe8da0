//! The plan: which cases of which operations, in which order.

use std::fmt::Write as _;

use http::Method;

use crate::{
    Class, ProofClass,
    audit::{
        case::Case,
        extent::Extent,
        grant::{Grant, Implied, Lack, implied, lacks, satisfies},
        subject::{Access, Invalid, Subject},
    },
    document::{Document, SchemeKind},
};

/// What the plan depends on besides the document.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    pub(super) allow_unsafe: bool,
    pub(super) only: Vec<String>,
    pub(super) with_dpop: bool,
    pub(super) with_mcp: bool,
    pub(super) with_withdrawal: bool,
}

/// The cases of an operation, in their order.
#[derive(Clone, Debug)]
pub(super) struct Planned<'s> {
    pub(super) subject: &'s Subject,
    pub(super) mode: CallMode,
    pub(super) cases: Vec<Case>,
}

/// How an operation is called.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum CallMode {
    /// By the documented request.
    Documented,
    /// By a request that cannot succeed.
    Invalid(Invalid),
    /// Not at all, for this reason.
    Not(&'static str),
}

#[derive(Clone, Debug)]
pub(super) struct Plan<'s> {
    pub(super) operations: Vec<Planned<'s>>,
    /// Cases of the API as a whole, before and after those of the operations.
    pub(super) first: Vec<Case>,
    pub(super) last: Vec<Case>,
}

impl<'s> Plan<'s> {
    pub(super) fn of(subjects: &'s [Subject], document: &Document, scope: &Scope) -> Self {
        let implied = &implied(document);
        let mut schemes = document.schemes.values();
        let has_cookies = schemes.any(
            |scheme| matches!(&scheme.kind, SchemeKind::ApiKey { place, .. } if place == "cookie"),
        );
        let is_chosen = |case: &Case| {
            if has_cookies && *case == Case::TokenInCookie {
                return false;
            }
            let is_control = matches!(case, Case::Documented(_));
            let classes = case.classes();
            is_control || scope.only.is_empty() || scope.only.iter().any(|it| classes.contains(it))
        };
        // The whole catalogue is sent to one operation.
        let first_secured = subjects.iter().position(|subject| {
            matches!(subject.access, Access::Token(_))
                && mode(subject, scope) == CallMode::Documented
        });
        let operations = subjects.iter().enumerate().map(|(place, subject)| {
            let mode = mode(subject, scope);
            let extent =
                if Some(place) == first_secured { Extent::All } else { Extent::Sample(place) };
            let all = match mode {
                // Without credentials, what is safe may be called.
                CallMode::Not(_) if subject.is_safe() => vec![Case::NoToken],
                CallMode::Not(_) => Vec::new(),
                _ => cases(subject, subjects, implied, &mode, extent, scope),
            };
            Planned {
                subject,
                mode,
                cases: all.into_iter().filter(|case| is_chosen(case)).collect(),
            }
        });
        let chosen = |cases: Vec<Case>| cases.into_iter().filter(|case| is_chosen(case)).collect();
        // The catalogue and the flood spend what an API allows itself for unknown kids.
        // An unknown kid may keep an API from fetching keys for a while: not before the rotation.
        let first = vec![Case::Rotation, Case::Opaque, Case::Outage, Case::OtherTenant];
        let mut last = vec![Case::Flood];
        if scope.with_withdrawal {
            last.push(Case::Withdrawal);
        }
        Self { operations: operations.collect(), first: chosen(first), last: chosen(last) }
    }

    /// The plan for readers.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for planned in &self.operations {
            let _ = writeln!(text, "{}", planned.subject.name);
            match &planned.mode {
                CallMode::Documented => {}
                CallMode::Invalid(_) => {
                    text.push_str("  (by requests that are invalid, and cannot succeed)\n")
                }
                CallMode::Not(why) => {
                    let _ = writeln!(text, "  inconclusive: {why}");
                }
            }
            for case in &planned.cases {
                let _ = writeln!(text, "  {case}");
            }
        }
        text.push_str("the API\n");
        for case in self.first.iter().chain(&self.last) {
            let _ = writeln!(text, "  {case}");
        }
        let operations = self.operations.len();
        let cases: usize = self.operations.iter().map(|planned| planned.cases.len()).sum();
        let cases = cases + self.first.len() + self.last.len();
        let _ = writeln!(text, "\n{operations} operations, {cases} cases");
        text
    }
}

fn mode(subject: &Subject, scope: &Scope) -> CallMode {
    match subject.access {
        Access::Other => return CallMode::Not("it needs credentials of another scheme"),
        Access::Public | Access::Token(_) | Access::Optional(_) => {}
    }
    if subject.is_safe() || scope.allow_unsafe {
        return CallMode::Documented;
    }
    match subject.invalid().first() {
        Some(invalid) => CallMode::Invalid(invalid.clone()),
        None => CallMode::Not("its request cannot be made invalid: run with --allow-unsafe"),
    }
}

fn cases(
    subject: &Subject,
    subjects: &[Subject],
    implied: &Implied,
    mode: &CallMode,
    extent: Extent,
    scope: &Scope,
) -> Vec<Case> {
    if matches!(subject.access, Access::Public) {
        return vec![Case::Public];
    }
    let requirements = subject.requirements();
    let mut cases: Vec<Case> = (0..requirements.len()).map(Case::Documented).collect();
    let hostile = Class::ALL.map(|class| Case::Hostile(class, extent));
    if matches!(subject.access, Access::Optional(_)) {
        cases.extend([Case::Public, Case::Garbage, Case::Forged]);
        cases.extend(hostile);
        return cases;
    }
    cases.push(Case::NoToken);
    if subject.is_bound() {
        cases.extend([Case::Unbound, Case::UnboundWithProof, Case::BoundAsBearer]);
    } else {
        cases.push(Case::LowerCaseScheme);
    }
    cases.extend([Case::Garbage, Case::Forged]);
    cases.extend(hostile);
    let every = requirements.iter().flat_map(|requirement| lacks(requirement, implied));
    let is_lacking =
        |lack: &Lack| !requirements.iter().any(|it| satisfies(&lack.grant, it, implied));
    cases.extend(every.filter(is_lacking).map(Case::Lacks));
    // A bound token is refused there for that alone.
    if !subject.is_bound() {
        cases.push(Case::TokenInQuery);
        cases.push(Case::TokenInCookie);
        if subject.has_body() {
            cases.push(Case::TokenInBody);
        }
    }
    if scope.with_mcp && subject.is_mcp {
        cases.push(Case::Mcp);
    }
    if scope.with_dpop {
        cases.extend(ProofClass::ALL.map(|class| Case::Proofs(class, extent)));
    }
    let others = subject.invalid().iter().filter(|it| *mode != CallMode::Invalid((*it).clone()));
    cases.extend(others.cloned().map(Case::Order));
    if subject.has_body() {
        cases.push(Case::OrderMediaType);
    }
    if subject.method == Method::GET {
        cases.extend(paths(subject, subjects));
    }
    cases.extend(overrides(subject, subjects, implied, mode, scope));
    cases.extend(methods(subject, subjects, scope));
    cases
}

/// The methods that the document does not have on the path; once per path.
fn methods(subject: &Subject, subjects: &[Subject], scope: &Scope) -> Vec<Case> {
    let here: Vec<_> = subjects.iter().filter(|other| other.template == subject.template).collect();
    let is_first = here.first().is_some_and(|first| first.name == subject.name);
    let is_secured = here.iter().all(|other| matches!(other.access, Access::Token(_)));
    if !is_first || !is_secured {
        return Vec::new();
    }
    let is_new = |method: &Method| here.iter().all(|other| other.method != *method);
    let all = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    let new = all.into_iter().filter(is_new);
    if scope.allow_unsafe {
        return new.map(Case::Method).collect();
    }
    // A request that could succeed is not sent, even without a token: a handler that was forgotten by
    // the guard would run. Where the path names something, it can name nothing.
    let harmless = new.filter_map(|method| match (&method, &subject.nothing) {
        (&Method::GET, _) => Some(Case::Method(method)),
        (_, Some(path)) => Some(Case::MethodOnNothing(method, path.clone())),
        (_, None) => None,
    });
    harmless.chain([Case::Allow]).collect()
}

/// Requests of another method whose override leads to the operation: without a token where the document
/// asks for none or does not have the method, or with a token for that method alone.
fn overrides(
    subject: &Subject,
    subjects: &[Subject],
    implied: &Implied,
    mode: &CallMode,
    scope: &Scope,
) -> Vec<Case> {
    // Without an override that works, a POST is a request of its own.
    let may_post = scope.allow_unsafe || matches!(mode, CallMode::Invalid(_));
    let carriers = [(Method::GET, true), (Method::POST, may_post)].into_iter();
    let carriers = carriers.filter(|(method, may)| *may && *method != subject.method);
    let case = |(method, _): (Method, bool)| {
        let mut others = subjects.iter().filter(|other| other.template == subject.template);
        let other = others.find(|other| other.method == method);
        let token = match other.map(|other| &other.access) {
            None | Some(Access::Public) => None,
            Some(Access::Token(requirements)) => Some(Grant::of(requirements.first()?)),
            Some(Access::Optional(_) | Access::Other) => return None,
        };
        let mut needed = subject.requirements().iter();
        let is_enough = |grant: &Grant| needed.any(|it| satisfies(grant, it, implied));
        (!token.as_ref().is_some_and(is_enough)).then_some(Case::OverrideFrom(method, token))
    };
    carriers.filter_map(case).collect()
}

/// Other ways to the handler of a secured GET.
fn paths(subject: &Subject, subjects: &[Subject]) -> Vec<Case> {
    let mut cases = Vec::new();
    let has_head = subjects
        .iter()
        .any(|other| other.template == subject.template && other.method == Method::HEAD);
    if !has_head {
        cases.push(Case::Head);
    }
    let spellings = spellings(&subject.path).into_iter();
    let is_other = |path: &String| *path != subject.path && !is_documented(path, subjects);
    cases.extend(
        spellings.filter(|(_, path)| is_other(path)).map(|(what, path)| Case::Spelling(what, path)),
    );
    cases.extend([Method::OPTIONS, Method::HEAD].map(Case::MethodOverride));
    let is_public =
        |other: &&Subject| matches!(other.access, Access::Public) && other.method == Method::GET;
    if let Some(public) = subjects.iter().find(is_public) {
        cases.push(Case::UrlOverride("X-Original-URL", public.path.clone()));
        cases.push(Case::UrlOverride("X-Rewrite-URL", public.path.clone()));
    }
    cases
}

fn spellings(path: &str) -> Vec<(&'static str, String)> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let mut letters = name.chars();
    let first = letters.next().filter(char::is_ascii_alphanumeric);
    let encoded =
        first.map(|first| format!("{folder}/%{:02X}{}", u32::from(first), letters.as_str()));
    let mut all = vec![
        ("a slash after it", format!("{path}/")),
        ("a doubled slash", format!("/{path}")),
        ("a doubled slash inside", format!("{folder}//{name}")),
        ("a dot segment", format!("{folder}/./{name}")),
        ("a dot segment at its start", format!("/.{path}")),
        ("a parent segment", format!("/x/..{path}")),
        ("an encoded parent segment", format!("/x/%2e%2e{path}")),
        ("an encoded slash", format!("{folder}%2f{name}")),
        ("a path parameter", format!("{path};x=1")),
        ("a dot after it", format!("{path}.")),
        ("an extension", format!("{path}.json")),
        ("an encoded NUL after it", format!("{path}%00")),
        ("an encoded blank after it", format!("{path}%20")),
        ("upper case", path.to_ascii_uppercase()),
    ];
    all.extend(encoded.map(|path| ("an encoded letter", path)));
    all
}

/// Whether a path is that of a GET which the document does not secure.
fn is_documented(path: &str, subjects: &[Subject]) -> bool {
    let segments: Vec<_> = path.split('/').collect();
    let fits = |template: &str| {
        let parts: Vec<_> = template.split('/').collect();
        let mut pairs = parts.iter().zip(&segments);
        parts.len() == segments.len()
            && pairs.all(|(part, segment)| part.contains('{') || part == segment)
    };
    let is_open = |other: &&Subject| !matches!(other.access, Access::Token(_) | Access::Other);
    subjects
        .iter()
        .filter(is_open)
        .any(|other| other.method == Method::GET && fits(&other.template))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::base::Base;

    const OPENAPI: &str = "
openapi: 3.1.0
components:
  securitySchemes:
    login: { type: openIdConnect, openIdConnectUrl: https://login.example.com }
security: [{ login: [] }]
paths:
  /health:
    get: { security: [] }
  /feed:
    get: { security: [{}, { login: [] }] }
  /posts:
    get: { security: [{ login: [read] }] }
    post: { security: [{ login: [read, write] }], requestBody: { content: { application/json: {} } } }
  /posts/{id}:
    parameters: [{ name: id, in: path, required: true, schema: { type: string } }]
    delete: {}
  /vault:
    get: { x-monocloud-sender-constrained: true }
";

    /// The cases of each operation.
    fn plan(openapi: &str, scope: &Scope) -> Vec<(String, Vec<Case>)> {
        let document = Document::read(openapi.as_bytes()).unwrap();
        let base = Base::parse("http://127.0.0.1").unwrap();
        let subjects = Subject::all(&document, &base, &["login".to_owned()]);
        let plan = Plan::of(&subjects, &document, scope);
        let operations = plan.operations.into_iter();
        operations.map(|it| (it.subject.name.clone(), it.cases)).collect()
    }

    fn of<'p>(plan: &'p [(String, Vec<Case>)], name: &str) -> &'p [Case] {
        &plan.iter().find(|(other, _)| other == name).unwrap().1
    }

    const fn with_unsafe() -> Scope {
        Scope {
            allow_unsafe: true,
            only: Vec::new(),
            with_dpop: false,
            with_mcp: false,
            with_withdrawal: false,
        }
    }

    #[test]
    fn the_whole_catalogue_goes_to_one_operation_and_each_class_to_all() {
        let plan = plan(OPENAPI, &with_unsafe());
        let extents = |name: &str| -> Vec<Extent> {
            let cases = of(&plan, name).iter();
            cases
                .filter_map(
                    |case| if let Case::Hostile(_, extent) = case { Some(*extent) } else { None },
                )
                .collect()
        };
        for name in ["GET /feed", "GET /posts", "POST /posts", "DELETE /posts/{id}", "GET /vault"] {
            assert_eq!(extents(name).len(), Class::ALL.len(), "{name}");
            let is_all = extents(name).iter().all(|extent| *extent == Extent::All);
            assert_eq!(is_all, name == "GET /posts", "{name}");
        }
        assert_eq!(of(&plan, "GET /health"), [Case::Public]);
    }

    #[test]
    fn what_is_optional_or_bound_has_cases_of_its_own() {
        let plan = plan(OPENAPI, &with_unsafe());
        let feed = of(&plan, "GET /feed");
        assert!(feed.contains(&Case::Public) && !feed.contains(&Case::NoToken));
        let vault = of(&plan, "GET /vault");
        for case in [Case::NoToken, Case::Unbound, Case::UnboundWithProof, Case::BoundAsBearer] {
            assert!(vault.contains(&case), "{case}");
        }
        assert!(!vault.contains(&Case::TokenInQuery) && !vault.contains(&Case::LowerCaseScheme));
    }

    #[test]
    fn without_permission_nothing_unsafe_is_planned_that_could_succeed() {
        let all = plan(OPENAPI, &Scope::default());
        assert_eq!(of(&all, "DELETE /posts/{id}"), [], "its parameter may be any text");
        let posts = of(&all, "GET /posts");
        assert!(posts.contains(&Case::Allow));
        let is_method = |case: &&Case| matches!(case, Case::Method(_) | Case::MethodOnNothing(..));
        assert_eq!(posts.iter().find(is_method), None);
        let with_carrier = |method| {
            of(&all, "POST /posts")
                .iter()
                .any(|case| matches!(case, Case::OverrideFrom(carrier, _) if *carrier == method))
        };
        assert!(with_carrier(Method::GET), "the body is invalid");
        let integer = OPENAPI.replace("type: string", "type: integer");
        let all = plan(&integer, &Scope::default());
        let path = "/posts/not-valid".to_owned();
        let nothing = Case::MethodOnNothing(Method::PUT, path);
        assert!(of(&all, "DELETE /posts/{id}").contains(&nothing));
    }

    #[test]
    fn a_method_is_overridden_from_those_that_need_less() {
        let plan = plan(OPENAPI, &with_unsafe());
        let from = |name: &str| -> Vec<_> {
            let cases = of(&plan, name).iter();
            let from = |case: &Case| match case {
                Case::OverrideFrom(method, grant) => Some((method.clone(), grant.is_some())),
                _ => None,
            };
            cases.filter_map(from).collect()
        };
        assert_eq!(from("POST /posts"), [(Method::GET, true)], "with the scope to read");
        assert_eq!(from("GET /posts"), [], "the token for POST is enough");
        let both = [(Method::GET, false), (Method::POST, false)];
        assert_eq!(from("DELETE /posts/{id}"), both, "neither is documented");
    }

    #[test]
    fn the_chosen_classes_are_planned_beside_the_controls() {
        let scope = Scope { only: vec!["alg-none".to_owned()], ..with_unsafe() };
        let plan = plan(OPENAPI, &scope);
        let posts = of(&plan, "GET /posts");
        assert_eq!(posts, [Case::Documented(0), Case::Hostile(Class::AlgNone, Extent::All)]);
    }

    #[test]
    fn a_cookie_that_is_documented_is_no_mistake() {
        let document = "openIdConnectUrl: https://login.example.com }\n    \
                        cookie: { type: apiKey, in: cookie, name: session }";
        let with_cookie =
            OPENAPI.replace("openIdConnectUrl: https://login.example.com }", document);
        for (openapi, expected) in [(OPENAPI, true), (&*with_cookie, false)] {
            let plan = plan(openapi, &with_unsafe());
            assert_eq!(of(&plan, "GET /posts").contains(&Case::TokenInCookie), expected);
        }
    }
}
