//! What post was told beside the files, so that the files alone give the verdict again.

use std::collections::BTreeMap;

use super::{Digests, Request};
use crate::domain::receipt::{Reason, StoredDigest, StoredRequest, ToldJob};
use crate::domain::verdict::classify::Job;
use crate::domain::verdict::fault::Finding;
use crate::domain::verdict::reason::Layer;
use crate::layer::invocation::Invocation;

/// As it stands in the provenance.
pub(super) fn stored_request(invocation: &Invocation, request: &Request) -> StoredRequest {
    let job = |(layer, job): (&Layer, &Job)| ToldJob {
        layer: *layer,
        result: job.result,
        reason: job.reason.map(Into::into),
    };
    let masked = |finding: &Finding| {
        let mut reason = Reason::from(finding);
        reason.detail = invocation.redactor.for_people(&reason.detail);
        reason
    };
    StoredRequest {
        jobs: request.jobs.iter().map(job).collect(),
        digests: request.digests.stored_digests(),
        continue_on_failure: request.continue_on_failure,
        run_id: invocation.facts.run.as_ref().map(|(run, _)| run.clone()),
        run_attempt: invocation.facts.run.as_ref().map(|(_, attempt)| *attempt),
        head_sha: invocation.facts.head_sha.clone(),
        pack: request.pack.clone().or_else(|| invocation.settings.pack.value.clone()),
        found: request.found.iter().map(masked).collect(),
        classes: request.classes.clone(),
        typed: request.typed.clone(),
    }
}

impl Digests {
    fn stored_digests(&self) -> Vec<StoredDigest> {
        let of = [
            (Layer::Route, &self.route),
            (Layer::Context, &self.context),
            (Layer::Preflight, &self.preflight),
            (Layer::Selection, &self.selection),
        ];
        let before = of.into_iter().filter_map(|(layer, digest)| {
            Some(StoredDigest { layer, shard: None, sha256: digest.clone()? })
        });
        let execute = self.execute.iter().map(|(shard, sha256)| StoredDigest {
            layer: Layer::Execute,
            shard: *shard,
            sha256: sha256.clone(),
        });
        before.chain(execute).collect()
    }
}

impl Request {
    /// The same request again, from what stands in a provenance.
    pub(crate) fn again(reported: &StoredRequest, receipts_dir: std::path::PathBuf) -> Self {
        let one = |layer: Layer| {
            let digest = reported.digests.iter().find(|digest| digest.layer == layer);
            digest.map(|digest| digest.sha256.clone())
        };
        let jobs: BTreeMap<Layer, Job> = reported
            .jobs
            .iter()
            .map(|job| {
                let reason = job.reason.as_ref().and_then(|code| code.known());
                (job.layer, Job { result: job.result, reason })
            })
            .collect();
        let found = reported.found.iter().filter_map(|reason| {
            let code = reason.code.known()?;
            Some(Finding::read_back(code, reason.layer, code.row().severity, &reason.detail))
        });
        let of_execute = reported.digests.iter().filter(|digest| digest.layer == Layer::Execute);
        Self {
            receipts_dir,
            jobs,
            digests: Digests {
                route: one(Layer::Route),
                context: one(Layer::Context),
                preflight: one(Layer::Preflight),
                selection: one(Layer::Selection),
                execute: of_execute.map(|digest| (digest.shard, digest.sha256.clone())).collect(),
            },
            continue_on_failure: reported.continue_on_failure,
            found: found.collect(),
            pack: reported.pack.clone(),
            classes: reported.classes.clone(),
            typed: reported.typed.clone(),
            ..Self::default()
        }
    }
}
