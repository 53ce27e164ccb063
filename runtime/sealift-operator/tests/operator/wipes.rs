//! What removes the data of a Repository.

use sealift_api::planner::repository_in_pod;
use sealift_operator::build::wipe::Wipe;
use serde_json::json;

use crate::fixture::{backup, options};

#[test]
fn the_data_of_a_repository_is_removed_by_a_job_with_the_rights_it_needs() {
    let repository = backup().repository();
    let plan = repository_in_pod(&repository).unwrap();
    let options = options();
    let wipe = Wipe { repository: &repository, plan: &plan, options: &options };
    let mut account = wipe.service_account();
    assert_eq!(account.metadata.owner_references, None);
    account.metadata.uid = Some("account-uid".to_owned());
    let access = wipe.access(account.clone());
    insta::assert_yaml_snapshot!(json!({
        "serviceAccount": access.service_account,
        "role": access.role,
        "binding": access.binding,
        "lease": wipe.lease(&account),
        "job": wipe.job(&account, 2),
    }));
}
