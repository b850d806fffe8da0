use monocloud_testkit::document::Document;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::change::Changes;

/// A document with one operation, `GET /a`, which has these members.
fn document(operation: &Value, implies: bool) -> Document {
    let implies = if implies { json!({ "w": ["r"] }) } else { json!({}) };
    let document = json!({
        "openapi": "3.1.0",
        "components": { "securitySchemes": {
            "a": { "type": "oauth2", "flows": {}, "x-monocloud-implies": implies },
            "b": { "type": "oauth2", "flows": {} },
        } },
        "paths": { "/a": { "get": operation } },
    });
    Document::read(document.to_string().as_bytes()).unwrap()
}

fn changes(old: &Value, new: &Value) -> Changes {
    Changes::between(&document(old, false), &document(new, false))
}

/// The only line of what became weaker, without the operation.
fn weakened(old: &Value, new: &Value) -> String {
    let changes = changes(old, new);
    let lines: Vec<_> = changes.weakened.into_iter().collect();
    let [line] = lines.as_slice() else { panic!("{old} {new}: {lines:?}") };
    line.strip_prefix("GET /a: ").unwrap().to_owned()
}

/// The same in the other direction.
fn strengthened(old: &Value, new: &Value) -> String {
    let lines: Vec<_> = changes(old, new).strengthened.into_iter().collect();
    let [line] = lines.as_slice() else { panic!("{old} {new}: {lines:?}") };
    line.strip_prefix("GET /a: ").unwrap().to_owned()
}

#[test]
fn each_way_to_become_weaker_has_its_line_and_its_opposite() {
    let plain = |scopes: &[&str]| json!({ "security": [{ "a": scopes }] });
    let with = |name: &str, value: Value| {
        let mut operation = plain(&[]);
        operation[format!("x-monocloud-{name}")] = value;
        operation
    };
    let (any, all) = (
        |names: &[&str]| with("groups", json!({ "any": names })),
        |names: &[&str]| with("groups", json!({ "all": names })),
    );
    for (strict, lenient, weaker, stronger) in [
        (plain(&["r"]), json!({}), "became public", "no longer public"),
        (plain(&["r"]), json!({ "security": [] }), "became public", "no longer public"),
        (plain(&["r"]), json!({ "security": [{}] }), "became public", "no longer public"),
        (
            plain(&["r"]),
            json!({ "security": [{ "a": ["r"] }, {}] }),
            "credentials became optional",
            "credentials no longer optional",
        ),
        (
            plain(&["r"]),
            json!({ "security": [{ "a": ["r"] }, { "b": ["w"] }] }),
            "alternative added: b(w)",
            "alternative removed: b(w)",
        ),
        (
            json!({ "security": [{ "a": [], "b": [] }] }),
            plain(&[]),
            "scheme b removed",
            "scheme b added",
        ),
        (plain(&["r", "w"]), plain(&["r"]), "scope w removed", "scope w added"),
        (all(&["x", "y"]), plain(&[]), "groups x, y removed", "groups x, y added"),
        (any(&["x", "y"]), plain(&[]), "any group of x, y removed", "any group of x, y added"),
        (all(&["x", "y"]), all(&["y"]), "group x removed", "group x added"),
        (any(&["x"]), any(&["x", "y"]), "group y accepted too", "group y no longer accepted"),
        (
            with("groups", json!(["x"])),
            with("groups", json!(["x", "y"])),
            "group y accepted too",
            "group y no longer accepted",
        ),
        (
            all(&["x", "y"]),
            any(&["x", "y"]),
            "any group suffices where all were needed",
            "all groups needed where any sufficed",
        ),
        (
            with("acr-values", json!(["m"])),
            with("acr-values", json!(["m", "n"])),
            "acr n accepted too",
            "acr n no longer accepted",
        ),
        (
            with("acr-values", json!(["m", "n"])),
            plain(&[]),
            "acr m or n removed",
            "acr m or n added",
        ),
        (
            with("max-age", json!(300)),
            with("max-age", json!(600)),
            "max age raised from 300 to 600 seconds",
            "max age lowered from 600 to 300 seconds",
        ),
        (
            with("max-age", json!(300)),
            plain(&[]),
            "max age of 300 seconds removed",
            "max age of 300 seconds added",
        ),
        (
            with("sender-constrained", json!(true)),
            plain(&[]),
            "sender constraint removed",
            "sender constraint added",
        ),
        (
            with("claims", json!({ "plan": "pro" })),
            plain(&[]),
            "claim plan=\"pro\" removed",
            "claim plan=\"pro\" added",
        ),
    ] {
        assert_eq!(weakened(&strict, &lenient), weaker);
        assert_eq!(strengthened(&lenient, &strict), stronger);
        let changes = changes(&lenient, &strict);
        assert!(changes.weakened.is_empty() && changes.neutral.is_empty(), "{changes:?}");
    }
    // What is replaced became both.
    assert_eq!(weakened(&any(&["x"]), &any(&["y"])), "group x became group y");
    assert_eq!(strengthened(&any(&["x"]), &any(&["y"])), "group x became group y");
}

#[test]
fn the_same_callers_by_other_words_are_neutral() {
    let both = json!({
        "security": [{ "a": ["r"] }, { "a": ["r"] }],
        "x-monocloud-alternatives": [
            { "x-monocloud-groups": ["x"], "x-monocloud-acr-values": ["m"] },
            { "x-monocloud-groups": ["y"], "x-monocloud-acr-values": ["m"] },
        ],
    });
    let one = json!({
        "security": [{ "a": ["r"] }, { "a": ["r", "w"] }],
        "x-monocloud-groups": { "any": ["x", "y"] },
        "x-monocloud-acr-values": ["m"],
    });
    for (old, new) in [(&both, &one), (&one, &both), (&json!({}), &json!({ "security": [{}] }))] {
        assert_eq!(
            changes(old, new),
            Changes { neutral: vec!["GET /a".to_owned()], ..Changes::default() }
        );
    }
}

#[test]
fn scopes_that_imply_others_are_a_change_of_the_scheme() {
    let (read, write) =
        (json!({ "security": [{ "a": ["r"] }] }), json!({ "security": [{ "a": ["w"] }] }));
    let changes = Changes::between(&document(&read, false), &document(&read, true));
    assert_eq!(
        changes.weakened.into_iter().collect::<Vec<_>>(),
        ["scheme a: scope w now implies r"]
    );
    let changes = Changes::between(&document(&read, true), &document(&read, false));
    assert_eq!(
        changes.strengthened.into_iter().collect::<Vec<_>>(),
        ["scheme a: scope w no longer implies r"]
    );
    // A caller with `w` had `r`, too.
    let changes = Changes::between(&document(&read, true), &document(&write, true));
    assert!(changes.weakened.is_empty() && !changes.strengthened.is_empty(), "{changes:?}");
}

/// Scopes, groups, acr values and values of the claim `plan` are the bits of a number.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Alternative {
    schemes: [Option<u8>; 2],
    groups: u8,
    all_groups: bool,
    acr: u8,
    max_age: Option<u64>,
    bound: bool,
    plan: u8,
}

impl Alternative {
    fn is_empty(&self) -> bool {
        self.schemes == [None, None]
    }

    fn security(&self) -> Value {
        let mut entry = json!({});
        for (name, scopes) in ["a", "b"].into_iter().zip(self.schemes) {
            if let Some(scopes) = scopes {
                entry[name] = names(scopes, ["r", "w"]);
            }
        }
        entry
    }

    fn extensions(&self) -> Value {
        let mut extensions = json!({});
        if self.is_empty() {
            return extensions;
        }
        if self.groups > 0 {
            let match_ = if self.all_groups { "all" } else { "any" };
            extensions["x-monocloud-groups"] = json!({ match_: names(self.groups, ["x", "y"]) });
        }
        if self.acr > 0 {
            extensions["x-monocloud-acr-values"] = names(self.acr, ["m", "n"]);
        }
        if let Some(seconds) = self.max_age {
            extensions["x-monocloud-max-age"] = seconds.into();
        }
        if self.bound {
            extensions["x-monocloud-sender-constrained"] = true.into();
        }
        match self.plan {
            0 => {}
            1 => extensions["x-monocloud-claims"] = json!({ "plan": "pro" }),
            _ => extensions["x-monocloud-claims"] = json!({ "plan": "free" }),
        }
        extensions
    }

    fn permits(&self, caller: &Caller, implies: bool) -> bool {
        if self.is_empty() {
            return true;
        }
        let has_schemes = (0..2).all(|n| match (self.schemes[n], caller.schemes[n]) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(needed), Some(own)) => {
                // The bit 1 is `w`, and the bit 0 is `r`.
                let own = if implies && n == 0 { own | (own >> 1) } else { own };
                needed & !own == 0
            }
        });
        let has_groups = match self.all_groups {
            true => self.groups & !caller.groups == 0,
            false => self.groups == 0 || self.groups & caller.groups != 0,
        };
        has_schemes
            && has_groups
            && (self.acr == 0 || self.acr & caller.acr != 0)
            && self.max_age.is_none_or(|most| caller.age.is_some_and(|age| age <= most))
            && (caller.bound || !self.bound)
            && self.plan & !caller.plan == 0
    }
}

fn names(bits: u8, names: [&str; 2]) -> Value {
    names.into_iter().zip([1, 2]).filter(|(_, bit)| bits & bit > 0).map(|(name, _)| name).collect()
}

struct Caller {
    schemes: [Option<u8>; 2],
    groups: u8,
    /// One bit, or none.
    acr: u8,
    age: Option<u64>,
    bound: bool,
    plan: u8,
}

/// Every caller that can make a difference.
fn callers() -> Vec<Caller> {
    let scopes = [None, Some(0), Some(1), Some(2), Some(3)];
    let mut callers = Vec::new();
    for (a, b) in scopes.iter().flat_map(|a| scopes.map(|b| (*a, b))) {
        for (groups, plan) in (0..4).flat_map(|groups| (0..4).map(move |plan| (groups, plan))) {
            for (acr, age) in
                (0..3).flat_map(|acr| [None, Some(100), Some(200)].map(|age| (acr, age)))
            {
                for bound in [false, true] {
                    callers.push(Caller { schemes: [a, b], groups, acr, age, bound, plan });
                }
            }
        }
    }
    callers
}

fn operation(alternatives: &[Alternative]) -> Value {
    let security: Vec<_> = alternatives.iter().map(Alternative::security).collect();
    let mut operation = json!({ "security": security });
    if alternatives.iter().any(|one| one.extensions() != json!({})) {
        operation["x-monocloud-alternatives"] =
            alternatives.iter().map(Alternative::extensions).collect();
    }
    operation
}

fn permits(alternatives: &[Alternative], caller: &Caller, implies: bool) -> bool {
    alternatives.is_empty() || alternatives.iter().any(|one| one.permits(caller, implies))
}

fn alternative() -> impl Strategy<Value = Alternative> {
    let scopes = || prop_oneof![1 => Just(None), 3 => (0u8..4).prop_map(Some)];
    let rare = |most: u8| prop_oneof![2 => Just(0), 1 => 0..=most];
    let age = prop_oneof![2 => Just(None), 1 => Just(Some(100)), 1 => Just(Some(200))];
    let bound = prop::bool::weighted(0.3);
    (scopes(), scopes(), 0u8..4, any::<bool>(), rare(3), age, bound, rare(2)).prop_map(
        |(a, b, groups, all_groups, acr, max_age, bound, plan)| Alternative {
            schemes: [a, b],
            groups,
            all_groups,
            acr,
            max_age,
            bound,
            plan,
        },
    )
}

/// Two policies, of which the second has alternatives of the first with one part from elsewhere.
fn policies() -> impl Strategy<Value = (Vec<Alternative>, Vec<Alternative>)> {
    let old = prop::collection::vec(alternative(), 0..4);
    let new = prop::collection::vec((any::<prop::sample::Index>(), 0..9, alternative()), 0..4);
    (old, new).prop_map(|(old, new)| {
        let derived = |(index, part, other): (prop::sample::Index, i32, Alternative)| {
            let Some(mut one) = (!old.is_empty()).then(|| index.get(&old).clone()) else {
                return other;
            };
            match part {
                0 => one.schemes[0] = other.schemes[0],
                1 => one.schemes[1] = other.schemes[1],
                2 => one.groups = other.groups,
                3 => one.all_groups = other.all_groups,
                4 => one.acr = other.acr,
                5 => one.max_age = other.max_age,
                6 => one.bound = other.bound,
                7 => one.plan = other.plan,
                _ => {}
            }
            one
        };
        let new = new.into_iter().map(derived).collect();
        (old, new)
    })
}

proptest! {
    #[test]
    fn weakened_is_what_lets_in_a_caller_that_was_not_let_in(
        (old, new) in policies(),
        implies in any::<bool>(),
    ) {
        let changes = Changes::between(
            &document(&operation(&old), implies),
            &document(&operation(&new), implies),
        );
        let callers = callers();
        let is_weaker = callers.iter()
            .any(|it| permits(&new, it, implies) && !permits(&old, it, implies));
        let is_stronger = callers.iter()
            .any(|it| permits(&old, it, implies) && !permits(&new, it, implies));
        prop_assert_eq!(!changes.weakened.is_empty(), is_weaker, "{:?}", changes);
        prop_assert_eq!(!changes.strengthened.is_empty(), is_stronger, "{:?}", changes);
        prop_assert_eq!(!changes.neutral.is_empty(), !is_weaker && !is_stronger, "{:?}", changes);
    }

    #[test]
    fn implications_that_change_never_hide_a_weakening(
        (old, new) in policies(),
        implied in any::<bool>(),
    ) {
        let changes = Changes::between(
            &document(&operation(&old), implied),
            &document(&operation(&new), !implied),
        );
        let is_weaker = callers().iter()
            .any(|it| permits(&new, it, !implied) && !permits(&old, it, implied));
        prop_assert!(!is_weaker || !changes.weakened.is_empty(), "{:?}", changes);
    }

    #[test]
    fn a_document_does_not_differ_from_itself(
        alternatives in prop::collection::vec(alternative(), 0..4),
        implies in any::<bool>(),
    ) {
        let document = document(&operation(&alternatives), implies);
        let changes = Changes::between(&document, &document);
        let expected = Changes { neutral: vec!["GET /a".to_owned()], ..Changes::default() };
        prop_assert_eq!(changes, expected);
    }
}
