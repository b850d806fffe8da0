//! The operations by which the API as a whole is checked.

use crate::{
    Endpoint,
    audit::{
        control::Control,
        plan::{Plan, Planned},
        run::{Run, call_of, with_garbage},
        subject::Access,
    },
};

type Probe<'p, 's> = (&'p Planned<'s>, Control);

/// Operations that do not accept everything.
#[derive(Default)]
pub(super) struct Probes<'p, 's> {
    /// One that verifies JWTs by the tenant's keys.
    pub(super) keys: Option<Probe<'p, 's>>,
    /// One that introspects opaque tokens.
    pub(super) opaque: Option<Probe<'p, 's>>,
}

impl Run<'_> {
    pub(super) async fn probes<'p, 's>(
        &self,
        plan: &'p Plan<'s>,
        controls: &[Option<Control>],
    ) -> Probes<'p, 's> {
        let all = plan.operations.iter().zip(controls);
        let all = all.filter_map(|(planned, control)| Some((planned, control.clone()?)));
        let is_optional =
            |planned: &Planned<'_>| matches!(planned.subject.access, Access::Optional(_));
        let mut all: Vec<_> = all.filter(|(planned, _)| !is_optional(planned)).collect();
        all.sort_by_key(|(planned, control)| {
            let is_bound = control.possession.is_some();
            (is_bound, !planned.subject.is_safe(), control.right_answer.status)
        });
        let mut probes = Probes::default();
        let mut introspecting = None;
        for probe in all {
            let opaque = probe.1.grant.opaque_token(self.tenant).mint();
            let is_opaque = probes.opaque.is_none() && self.introspects(&probe, &opaque).await;
            if (!is_opaque && probes.keys.is_some()) || self.is_open(&probe).await {
                continue;
            }
            if is_opaque {
                probes.opaque = Some(probe.clone());
            }
            if probes.keys.is_none() {
                let jwt = probe.1.grant.token(self.tenant).mint();
                let is_introspecting = self.introspects(&probe, &jwt).await;
                let place = if is_introspecting { &mut introspecting } else { &mut probes.keys };
                place.get_or_insert(probe);
            }
            if probes.keys.is_some() && probes.opaque.is_some() {
                break;
            }
        }
        probes.keys = probes.keys.or(introspecting);
        probes
    }

    async fn introspects(&self, (planned, control): &Probe<'_, '_>, token: &str) -> bool {
        let before = self.tenant.requests(Endpoint::Introspection);
        let call = control.present(self, call_of(planned), token, "");
        self.send(&call).await.is_ok() && self.tenant.requests(Endpoint::Introspection) > before
    }

    /// Whether the operation accepts a request without a token, or with a text that is none.
    async fn is_open(&self, (planned, control): &Probe<'_, '_>) -> bool {
        for call in [call_of(planned), with_garbage(call_of(planned))] {
            if self.send(&call).await.is_ok_and(|reply| control.right_answer.accepts(&reply)) {
                return true;
            }
        }
        false
    }
}
