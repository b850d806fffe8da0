//! What prevents an API from starting, each in one line that says what to write instead.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    nearest::{did_you_mean, nearest},
    operations::{NoRoute, Operations},
    plan::{self, Listed},
    security::{self, Declared, OperationKey, OtherSchemes, Unclear},
};
use crate::{
    certificate::CertificateBinding,
    config::{DpopMode, Key},
    policy::{Access, PolicyBuf},
};

impl Operations<'_> {
    /// Everything that prevents the API from starting: first what concerns the whole document, then
    /// what concerns one operation, in the order of paths.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut lines = self.problems_of_document();
        let pairs = self.differing_pairs();
        let mut problems = BTreeSet::new();
        let mut add = |path: &str, method: &str, problem: String| {
            problems.insert((path.to_owned(), method.to_owned(), problem));
        };
        for (key, declared) in &self.declared {
            for problem in self.problems_of(key, declared, &pairs) {
                add(&key.path, key.method.as_str(), problem);
            }
        }
        for listed in &self.plan.public {
            if let Some(problem) = self.problem_of_public(listed) {
                add(&listed.path, &listed.method, problem);
            }
        }
        for (listed, _) in &self.plan.required {
            if let Some(problem) = self.problem_of_required(listed) {
                add(&listed.path, &listed.method, problem);
            }
        }
        for (listed, policy) in &self.plan.hidden {
            for problem in self.problems_of_hidden(listed, policy) {
                add(&listed.path, &listed.method, problem);
            }
        }
        for (route, method) in self.all_hidden() {
            let is_paired = pairs.values().any(|paired| *paired == (route, method));
            if !is_paired && !self.is_known(route, method) {
                add(route, method, self.not_listed(route, method));
            }
        }
        let of_operations =
            problems.into_iter().map(|(path, method, why)| format!("{method} {path}: {why}"));
        lines.extend(of_operations);
        lines
    }

    fn problems_of_document(&self) -> Vec<String> {
        let (scheme, others) = (self.protect.scheme_name(), &self.plan.other_schemes);
        let mut problems: Vec<String> =
            security::root_problem(self.document, scheme, others).into_iter().collect();
        if let OtherSchemes::Declared(names) = others {
            let required = security::required_schemes(self.document);
            problems.extend(names.iter().filter_map(|name| {
                let problem = if name == scheme {
                    "that is the name of this library's own scheme".to_owned()
                } else if required.contains(&**name) {
                    return None;
                } else {
                    let known = required.iter().filter(|known| **known != scheme).copied();
                    format!("no security requirement names it{}", the_nearest(name, known))
                };
                Some(format!("application_scheme({name:?}): {problem}"))
            }));
        }
        problems.extend(self.problems_of_implied_scopes());
        for (index, (above, _)) in self.plan.defaults_under.iter().enumerate() {
            let earlier = self.plan.defaults_under.iter().take(index);
            let problem = if earlier.into_iter().any(|(other, _)| plan::is_same_path(other, above))
            {
                "this path has another default already".to_owned()
            } else if self.declared.iter().any(|(key, _)| plan::is_under(&key.path, above)) {
                continue;
            } else {
                let paths = self.declared.iter().flat_map(|(key, _)| paths_above(&key.path));
                format!("no documented operation lies under it{}", the_nearest(above, paths))
            };
            problems.push(format!("by_default_under({above:?}): {problem}"));
        }
        problems
    }

    /// What implies itself, and what is not described.
    fn problems_of_implied_scopes(&self) -> Vec<String> {
        let (implied, described) =
            (self.protect.implied_scopes(), self.protect.scope_descriptions());
        let mut problems = BTreeSet::new();
        for (scope, others) in implied.declared() {
            if implied.consequences(scope).contains(scope) {
                problems.insert(format!("implies({scope:?}): it implies itself; remove one of the implications of that circle"));
            }
            let unknown =
                [scope].into_iter().chain(others).filter(|it| !described.contains_key(*it));
            problems.extend(unknown.map(|unknown| {
                let question = did_you_mean(unknown, described.keys().map(String::as_str));
                format!("implies({scope:?}): the scope {unknown:?} is not described{question}")
            }));
        }
        problems.into_iter().collect()
    }

    fn problems_of(
        &self,
        key: &OperationKey,
        declared: &Declared,
        pairs: &Pairs<'_>,
    ) -> Vec<String> {
        let declared = match declared {
            Ok(declared) => declared,
            Err(Unclear::AtRoot) => return Vec::new(),
            Err(Unclear::Because(why)) => return vec![why.clone()],
        };
        let mut problems = Vec::new();
        match self.route_of(key) {
            Ok(()) => {}
            Err(NoRoute::OfGet) => problems.push(format!(
                "HEAD is answered by the handler of GET {}, and authorized as GET is; give both the same requirement, or route HEAD to a handler of its own",
                key.path
            )),
            Err(NoRoute::None) => {
                let pair = pairs.get(&(&*key.path, key.method.as_str()));
                problems.push(match (self.base_path_of(key), pair) {
                    (Some(base), _) => format!(
                        "it is documented, and routed at {base}{path}; {base} is the base path of `servers`, without which routes are compared: route {path}, and nest the API that is returned at {base}",
                        path = key.path
                    ),
                    (None, Some((route, _))) => how_they_differ(&key.path, route),
                    (None, None) => "it is documented, and nothing is routed there; route it, or remove it from the document"
                        .to_owned(),
                })
            }
            Err(NoRoute::Shared(rivals)) => {
                problems.push(format!("its route is that of {rivals} too; remove one of them, or rename it"));
            }
            Err(NoRoute::Several(routes)) => {
                problems.push(format!("it could be any of the routes {routes}; rename or remove one of them"));
            }
        }
        let is_public = self.plan.is_public(key);
        match declared {
            Some(access) => {
                problems.extend(self.problems_of_access(access));
                if is_public && !access.is_public() {
                    problems.push(
                        "it is listed as public, and declares that it needs a token; remove one of the two"
                            .to_owned(),
                    );
                }
            }
            None if is_public => {}
            None => problems.push(format!(
                "it does not declare what it needs: {}, set a default with `.by_default(Policy::ANY_TOKEN)`, or list it with `.public({:?}, {:?})`",
                (self.dialect.declare)(self.protect.scheme_name()),
                key.method.as_str(),
                key.path,
            )),
        }
        problems
    }

    fn problem_of_public(&self, listed: &Listed) -> Option<String> {
        if self.declared.iter().any(|(key, _)| listed.names(key)) {
            return None;
        }
        match self.hidden_routes(listed).as_slice() {
            [] => {
                let documented =
                    self.declared.iter().map(|(key, _)| (&*key.path, key.method.as_str()));
                let nearest = nearest_operation(listed, documented.chain(self.all_hidden()));
                Some(format!("it is listed as public, and there is no such operation{nearest}"))
            }
            [_] => None,
            several => {
                Some(format!("it is listed as public, and could be any of {}", list(several)))
            }
        }
    }

    fn problem_of_required(&self, listed: &Listed) -> Option<String> {
        if self.declared.iter().any(|(key, _)| listed.names(key)) {
            return None;
        }
        let documented = self.declared.iter().map(|(key, _)| (&*key.path, key.method.as_str()));
        let nearest = nearest_operation(listed, documented);
        Some(format!("a policy is required of it, and the document has no such operation{nearest}"))
    }

    fn problems_of_hidden(&self, listed: &Listed, policy: &PolicyBuf) -> Vec<String> {
        let routes = self.hidden_routes(listed);
        let problem = match routes.as_slice() {
            [] if self.declared.iter().any(|(key, _)| listed.names(key)) => Some(
                "it is listed as hidden, and the document has it; declare there what it needs"
                    .to_owned(),
            ),
            [] => Some(format!(
                "it is listed as hidden, and there is no such route{}",
                nearest_operation(listed, self.all_hidden())
            )),
            [_] => {
                let is_same = |other: &&Listed| self.hidden_routes(other) == routes;
                let hidden = self.plan.hidden.iter().map(|(other, _)| other);
                if self.plan.public.iter().any(|other| is_same(&other)) {
                    Some("it is listed as hidden and as public; remove one of the two".to_owned())
                } else if hidden.filter(is_same).count() > 1 {
                    Some("it is listed as hidden twice; remove one of the two".to_owned())
                } else {
                    None
                }
            }
            several => {
                Some(format!("it is listed as hidden, and could be any of {}", list(several)))
            }
        };
        problem.into_iter().chain(self.problems_of_access(&policy.clone().into())).collect()
    }

    fn not_listed(&self, route: &str, method: &str) -> String {
        format!(
            "{}; declare what it needs with `.hidden({method:?}, {route:?}, POLICY)`, list it with `.public({method:?}, {route:?})`, or document it",
            self.dialect.hidden
        )
    }

    /// What an operation needs that could not be verified, or not be explained.
    fn problems_of_access(&self, access: &Access) -> Vec<String> {
        let mut problems = self.undescribed(access);
        let needs_binding =
            access.alternatives.iter().any(|requirement| requirement.is_sender_constrained);
        let can_be_bound = self.protect.binding() != CertificateBinding::DangerouslyIgnore
            || self.protect.dpop_mode() != DpopMode::Disabled;
        if needs_binding && !can_be_bound {
            problems.push(format!(
                "it needs a token that is bound to its sender, and no binding is verified; set {} to `when_present` or `required`, or {} to `allowed` or `required`",
                Key::ValidateCertificateBinding.variable(),
                Key::Dpop.variable()
            ));
        }
        problems
    }

    /// The scopes an operation needs that the document could not explain.
    fn undescribed(&self, access: &Access) -> Vec<String> {
        let described = self.protect.scope_descriptions();
        let scopes = access.alternatives.iter().flat_map(|requirement| &requirement.scopes);
        let undescribed: BTreeSet<&String> =
            scopes.filter(|scope| !described.contains_key(*scope)).collect();
        let problem = |scope: &String| {
            let question = did_you_mean(scope, described.keys().map(String::as_str));
            // A misspelt scope must not be described.
            if !question.is_empty() {
                return format!("it needs the scope {scope:?}, which is not described{question}");
            }
            let by_type = self.dialect.scopes_by_type;
            let by_type = by_type.map(|call| format!(" or `{call}`")).unwrap_or_default();
            format!(
                "it needs the scope {scope:?}, which is not described; describe it with `.describe_scope({scope:?}, \"…\")`{by_type}"
            )
        };
        undescribed.into_iter().map(problem).collect()
    }

    /// Operations without a route, each with the only hidden route that differs from it by a slash
    /// at the end or by a prefix.
    fn differing_pairs(&self) -> Pairs<'_> {
        let hidden: Vec<_> =
            self.all_hidden().filter(|(route, method)| !self.is_known(route, method)).collect();
        let unrouted = self.declared.iter().filter(|(key, declared)| {
            declared.is_ok() && matches!(self.route_of(key), Err(NoRoute::None))
        });
        let unrouted = unrouted.map(|(key, _)| (&*key.path, key.method.as_str()));
        let pair = |(path, method)| {
            let mut twins = hidden.iter().filter(|(route, of)| {
                *of == method && differs_slightly(path, route, self.dialect.is_route)
            });
            match (twins.next(), twins.next()) {
                (Some(twin), None) => Some(((path, method), *twin)),
                _ => None,
            }
        };
        let pairs: Pairs<'_> = unrouted.filter_map(pair).collect();
        let is_only = |twin| pairs.values().filter(|other| **other == twin).count() == 1;
        pairs.iter().filter(|(_, twin)| is_only(**twin)).map(|(one, twin)| (*one, *twin)).collect()
    }
}

/// Documented operations and the routes they probably are, each a path and a method.
type Pairs<'o> = BTreeMap<(&'o str, &'o str), (&'o str, &'o str)>;

fn differs_slightly(path: &str, route: &str, is_route: fn(&str, &str) -> bool) -> bool {
    let (path, route) = (path.trim_end_matches('/'), route.trim_end_matches('/'));
    is_route(path, route)
        || suffixes(route).any(|route| is_route(path, route))
        || suffixes(path).any(|path| is_route(path, route))
}

/// What remains of a path if its first segments are cut off.
fn suffixes(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').skip(1).filter_map(|(at, _)| path.get(at..))
}

fn how_they_differ(path: &str, route: &str) -> String {
    let count = |path: &str| path.trim_end_matches('/').matches('/').count();
    let how = match count(path).cmp(&count(route)) {
        std::cmp::Ordering::Less => "the document lacks the prefix",
        std::cmp::Ordering::Equal => "the two differ in the slash at the end",
        std::cmp::Ordering::Greater => "the route lacks the prefix",
    };
    format!("it is documented, and routed as {route}; {how}; write both alike")
}

/// A path and every path above it.
fn paths_above(path: &str) -> impl Iterator<Item = &str> {
    let ends = path.match_indices('/').map(|(at, _)| at).skip(1).chain([path.len()]);
    ends.filter_map(|end| path.get(..end))
}

fn nearest_operation<'o>(
    listed: &Listed,
    operations: impl Iterator<Item = (&'o str, &'o str)>,
) -> String {
    let operations = operations.map(|(path, method)| format!("{method} {path}"));
    let nearest = nearest(&format!("{} {}", listed.method, listed.path), operations);
    nearest.map(|operation| format!("; the nearest is {operation}")).unwrap_or_default()
}

fn the_nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> String {
    let nearest = nearest(word, candidates);
    nearest.map(|name| format!("; the nearest is {name:?}")).unwrap_or_default()
}

fn list(routes: &[(&str, &str)]) -> String {
    let paths: Vec<_> = routes.iter().map(|(path, _)| *path).collect();
    paths.join(" and ")
}
