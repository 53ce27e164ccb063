//! What an uninstalled original leaves behind and what then disturbs a cluster: APIServices that
//! nobody answers block the deletion of namespaces, webhooks that nobody answers refuse objects.
//! They are only reported, with the command that removes them: they are not ours.

use std::fmt::Debug;

use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;
use sealift_core::causes::chain_of_causes;
use sealift_kube::event::{Event, Recorder, reference};
use sealift_kube::kube::core::PartialObjectMeta;
use sealift_kube::kube::{Client, Resource, ResourceExt};
use sealift_kube::read;

use crate::takeover::{NAME, NAMES, serves};
use crate::time::Time;

/// Reports all of it, once.
pub(crate) async fn report(client: &Client, identity: &str, time: &Time) {
    let recorder = Recorder::new(client.clone(), "Sealift Operator", identity);
    of_kind::<APIService>(client, &recorder, time, "apiservice").await;
    let mutating = "mutatingwebhookconfiguration";
    of_kind::<MutatingWebhookConfiguration>(client, &recorder, time, mutating).await;
    let validating = "validatingwebhookconfiguration";
    of_kind::<ValidatingWebhookConfiguration>(client, &recorder, time, validating).await;
}

async fn of_kind<K>(client: &Client, recorder: &Recorder, time: &Time, word: &str)
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::ClusterResourceScope> + Clone + Debug,
{
    let found = match read::list_cluster_metadata::<K>(client).await {
        Ok(found) => found,
        Err(error) => {
            // Without the right to look, or without an aggregator, there is nothing to report.
            tracing::debug!(error = %chain_of_causes(&error), "leftovers are not looked for");
            return;
        }
    };
    for object in found.iter().filter(|object| is_leftover(object)) {
        let name = object.name_any();
        let message = format!(
            "{} {name} was left behind by the original and is served by nobody; remove it: kubectl delete {word} {name}",
            K::kind(&())
        );
        tracing::warn!("{message}");
        let event = Event::warning("LeftoverOfOriginal", message);
        if let Err(error) = recorder.publish(&reference(object), &event, time.now()).await {
            tracing::warn!(error = %chain_of_causes(&error), "an Event is not written");
        }
    }
}

fn is_leftover<K: Resource<DynamicType = ()>>(object: &PartialObjectMeta<K>) -> bool {
    let name = object.name_any();
    let labelled = object.labels().get(NAME).is_some_and(|name| NAMES.contains(&name.as_str()));
    labelled || serves(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_original_served_itself_is_a_leftover() {
        let named = |name: &str| PartialObjectMeta::<APIService> {
            metadata: k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
                name: Some(name.to_owned()),
                ..Default::default()
            },
            ..PartialObjectMeta::default()
        };
        for name in [
            "v1alpha1.admission.stash.appscode.com",
            "v1alpha1.repositories.stash.appscode.com",
            "admission.stash.appscode.com",
        ] {
            assert!(is_leftover(&named(name)), "{name}");
        }
        // What the API server makes for the CRDs, which we serve.
        assert!(!is_leftover(&named("v1beta1.stash.appscode.com")));
        // A webhook may have any name; its chart gives it a label.
        let labelled = |program: &str| {
            let mut object = named("backups");
            object.labels_mut().insert(NAME.to_owned(), program.to_owned());
            is_leftover(&object)
        };
        assert!(labelled("stash-community") && !labelled("sealift"));
    }
}
