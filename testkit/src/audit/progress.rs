//! How many requests a plan takes.

use std::cell::RefCell;

use crate::{
    Class, Hostile, MockTenant,
    audit::{case::Case, extent::Extent, plan::Plan},
};

/// About so many: a finding may make others pointless, and an API that is busy is asked again.
pub(super) fn requests(plan: &Plan<'_>, tenant: &MockTenant) -> usize {
    let names = Class::ALL.map(|class| (class, names(tenant, class)));
    let tokens = |class: Class, extent: Extent| {
        let (_, names) = names.iter().find(|(other, _)| *other == class)?;
        Some(names.iter().enumerate().filter(|(place, name)| extent.has(name, *place)).count())
    };
    let cost = |case: &Case| match case {
        Case::Hostile(class, extent) => tokens(*class, *extent).unwrap_or_default(),
        Case::Proofs(_, Extent::All) => 30,
        Case::Proofs(_, Extent::Sample(_)) => 4,
        Case::NoToken | Case::TokenInBody | Case::OverrideFrom(..) | Case::Withdrawal => 2,
        Case::UrlOverride(..) => 3,
        Case::Outage => 5,
        Case::Opaque => 7,
        Case::Flood => 31,
        _ => 1,
    };
    let cases = plan.operations.iter().flat_map(|planned| &planned.cases);
    cases.chain(&plan.first).chain(&plan.last).map(cost).sum()
}

/// The names of the tokens of a class, none of which is minted.
fn names(tenant: &MockTenant, class: Class) -> Vec<&'static str> {
    let names = RefCell::new(Vec::new());
    Hostile::chosen(tenant, class, &|name| {
        names.borrow_mut().push(name);
        false
    });
    names.into_inner()
}
