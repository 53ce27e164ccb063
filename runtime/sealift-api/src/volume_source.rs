//! A local backend: a folder of a volume, with the volume's source written inline.
//!
//! The sources stand here as fields of their own, and not flattened, because a flattened field
//! hides unknown fields from the strict reader.

use k8s_openapi::api::core::v1 as core;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `spec.backend.local` of a Repository.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LocalBackend {
    /// Where the volume is mounted; outside a cluster, the folder itself.
    pub mount_path: String,
    /// Folder within the volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub_path: Option<String>,
    /// `awsElasticBlockStore` of a volume.
    #[serde(default, rename = "awsElasticBlockStore", skip_serializing_if = "Option::is_none")]
    pub aws_elastic_block_store: Option<core::AWSElasticBlockStoreVolumeSource>,
    /// `azureDisk` of a volume.
    #[serde(default, rename = "azureDisk", skip_serializing_if = "Option::is_none")]
    pub azure_disk: Option<core::AzureDiskVolumeSource>,
    /// `azureFile` of a volume.
    #[serde(default, rename = "azureFile", skip_serializing_if = "Option::is_none")]
    pub azure_file: Option<core::AzureFileVolumeSource>,
    /// `cephfs` of a volume.
    #[serde(default, rename = "cephfs", skip_serializing_if = "Option::is_none")]
    pub cephfs: Option<core::CephFSVolumeSource>,
    /// `cinder` of a volume.
    #[serde(default, rename = "cinder", skip_serializing_if = "Option::is_none")]
    pub cinder: Option<core::CinderVolumeSource>,
    /// `configMap` of a volume.
    #[serde(default, rename = "configMap", skip_serializing_if = "Option::is_none")]
    pub config_map: Option<core::ConfigMapVolumeSource>,
    /// `csi` of a volume.
    #[serde(default, rename = "csi", skip_serializing_if = "Option::is_none")]
    pub csi: Option<core::CSIVolumeSource>,
    /// `downwardAPI` of a volume.
    #[serde(default, rename = "downwardAPI", skip_serializing_if = "Option::is_none")]
    pub downward_api: Option<core::DownwardAPIVolumeSource>,
    /// `emptyDir` of a volume.
    #[serde(default, rename = "emptyDir", skip_serializing_if = "Option::is_none")]
    pub empty_dir: Option<core::EmptyDirVolumeSource>,
    /// `ephemeral` of a volume.
    #[serde(default, rename = "ephemeral", skip_serializing_if = "Option::is_none")]
    pub ephemeral: Option<core::EphemeralVolumeSource>,
    /// `fc` of a volume.
    #[serde(default, rename = "fc", skip_serializing_if = "Option::is_none")]
    pub fc: Option<core::FCVolumeSource>,
    /// `flexVolume` of a volume.
    #[serde(default, rename = "flexVolume", skip_serializing_if = "Option::is_none")]
    pub flex_volume: Option<core::FlexVolumeSource>,
    /// `flocker` of a volume.
    #[serde(default, rename = "flocker", skip_serializing_if = "Option::is_none")]
    pub flocker: Option<core::FlockerVolumeSource>,
    /// `gcePersistentDisk` of a volume.
    #[serde(default, rename = "gcePersistentDisk", skip_serializing_if = "Option::is_none")]
    pub gce_persistent_disk: Option<core::GCEPersistentDiskVolumeSource>,
    /// `gitRepo` of a volume.
    #[serde(default, rename = "gitRepo", skip_serializing_if = "Option::is_none")]
    pub git_repo: Option<core::GitRepoVolumeSource>,
    /// `glusterfs` of a volume.
    #[serde(default, rename = "glusterfs", skip_serializing_if = "Option::is_none")]
    pub glusterfs: Option<core::GlusterfsVolumeSource>,
    /// `hostPath` of a volume.
    #[serde(default, rename = "hostPath", skip_serializing_if = "Option::is_none")]
    pub host_path: Option<core::HostPathVolumeSource>,
    /// `image` of a volume.
    #[serde(default, rename = "image", skip_serializing_if = "Option::is_none")]
    pub image: Option<core::ImageVolumeSource>,
    /// `iscsi` of a volume.
    #[serde(default, rename = "iscsi", skip_serializing_if = "Option::is_none")]
    pub iscsi: Option<core::ISCSIVolumeSource>,
    /// `nfs` of a volume.
    #[serde(default, rename = "nfs", skip_serializing_if = "Option::is_none")]
    pub nfs: Option<core::NFSVolumeSource>,
    /// `persistentVolumeClaim` of a volume.
    #[serde(default, rename = "persistentVolumeClaim", skip_serializing_if = "Option::is_none")]
    pub persistent_volume_claim: Option<core::PersistentVolumeClaimVolumeSource>,
    /// `photonPersistentDisk` of a volume.
    #[serde(default, rename = "photonPersistentDisk", skip_serializing_if = "Option::is_none")]
    pub photon_persistent_disk: Option<core::PhotonPersistentDiskVolumeSource>,
    /// `portworxVolume` of a volume.
    #[serde(default, rename = "portworxVolume", skip_serializing_if = "Option::is_none")]
    pub portworx_volume: Option<core::PortworxVolumeSource>,
    /// `projected` of a volume.
    #[serde(default, rename = "projected", skip_serializing_if = "Option::is_none")]
    pub projected: Option<core::ProjectedVolumeSource>,
    /// `quobyte` of a volume.
    #[serde(default, rename = "quobyte", skip_serializing_if = "Option::is_none")]
    pub quobyte: Option<core::QuobyteVolumeSource>,
    /// `rbd` of a volume.
    #[serde(default, rename = "rbd", skip_serializing_if = "Option::is_none")]
    pub rbd: Option<core::RBDVolumeSource>,
    /// `scaleIO` of a volume.
    #[serde(default, rename = "scaleIO", skip_serializing_if = "Option::is_none")]
    pub scale_io: Option<core::ScaleIOVolumeSource>,
    /// `secret` of a volume.
    #[serde(default, rename = "secret", skip_serializing_if = "Option::is_none")]
    pub secret: Option<core::SecretVolumeSource>,
    /// `storageos` of a volume.
    #[serde(default, rename = "storageos", skip_serializing_if = "Option::is_none")]
    pub storageos: Option<core::StorageOSVolumeSource>,
    /// `vsphereVolume` of a volume.
    #[serde(default, rename = "vsphereVolume", skip_serializing_if = "Option::is_none")]
    pub vsphere_volume: Option<core::VsphereVirtualDiskVolumeSource>,
}
