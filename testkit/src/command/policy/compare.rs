//! The alternatives of two policies for one operation.

use std::collections::BTreeSet;

use monocloud_testkit::document::{Requirement, Security};

use super::{
    callers::{Implications, is_covered},
    difference::{Difference, between},
    words,
};

/// What `strict` demands that `lenient` does not: empty exactly if each caller that `lenient` lets in
/// is let in by `strict`, too.
pub(super) fn differences(
    strict: &Security,
    lenient: &Security,
    implied: &Implications,
) -> BTreeSet<Difference> {
    let public = [Requirement::default()];
    let strict = alternatives(strict, &public);
    let lenient = alternatives(lenient, &public);
    let (covered, mut open): (Vec<_>, Vec<_>) =
        lenient.iter().partition(|one| is_covered(one, strict, implied));
    let mut found = BTreeSet::new();
    if open.is_empty() {
        return found;
    }
    if lenient.iter().all(|one| one.schemes.is_empty()) {
        return BTreeSet::from([Difference::Public]);
    }
    let is_anonymous = |one: &&Requirement| one.schemes.is_empty();
    if open.iter().any(is_anonymous) {
        found.insert(Difference::Optional);
        open.retain(|one| !is_anonymous(one));
    }
    // An alternative that is still there is not what a lenient one came from.
    let is_kept = |one: &Requirement| covered.iter().any(|it| between(one, it, implied).is_empty());
    let mut origins: Vec<_> = strict.iter().filter(|one| !is_kept(one)).collect();
    loop {
        let pairs = open.iter().enumerate().flat_map(|(at, one)| {
            let related = origins.iter().enumerate().filter(|(_, origin)| is_related(one, origin));
            related.map(move |(of, origin)| (between(origin, one, implied), at, of))
        });
        let Some((differences, at, of)) = pairs.min_by_key(|(found, ..)| found.len()) else {
            break;
        };
        found.extend(differences);
        open.remove(at);
        origins.remove(of);
    }
    found.extend(open.into_iter().map(words::requirement).map(Difference::Alternative));
    found
}

fn alternatives<'s>(security: &'s Security, public: &'s [Requirement]) -> &'s [Requirement] {
    match security.alternatives() {
        [] => public,
        alternatives => alternatives,
    }
}

fn is_related(one: &Requirement, other: &Requirement) -> bool {
    one.schemes.keys().any(|name| other.schemes.contains_key(name))
}
