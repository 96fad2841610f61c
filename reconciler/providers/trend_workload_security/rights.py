"""The rights that an administrator role can carry, and the other properties that say what a role may do.

A role's rights are a tree of three floors: group, object, right. Every right is true or false, and one that is left out
is false (T1, T3). Names are the JSON spellings of the vendor-generated SDK (T1); a contract test compares this tree with
the installed SDK.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

# fmt: off
RIGHTS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "platformRights": {
        "administratorRights": (
            "canCreateNewAdministrators", "canDeleteAdministrators", "canEditAdministratorProperties",
            "canViewAdministrators",
        ),
        "administratorRoleRights": (
            "canCreateNewAdministratorRoles", "canDeleteAdministratorRoles", "canEditAdministratorRoleProperties",
            "canViewAdministratorRoles",
        ),
        "agentVersionControlRights": ("canEditAgentVersionControls",),
        "alertConfigurationRights": ("canEditAlertConfigurations",),
        "alertRights": ("canDismissGlobalAlerts",),
        "apikeyRights": ("canCreateNewApiKeys", "canDeleteApiKeys", "canEditApiKeyProperties", "canViewApiKeys"),
        "assetValueRights": ("canCreateNewAssetValues", "canDeleteAssetValues", "canEditAssetValueProperties"),
        "certificateRights": ("canCreateNewCertificates", "canDeleteCertificates"),
        "computerRights": (
            "canAddAndRemoveComputerGroups", "canCreateNewComputers", "canDeleteComputers", "canDismissAlerts",
            "canEditComputerProperties", "canImportComputers", "canManageCloudAccounts", "canManageDirectories",
            "canManageVCenters", "canTagComputers", "canViewNotRelatedToComputers", "canViewOtherComputers",
        ),
        "contactRights": ("canCreateNewContacts", "canDeleteContacts", "canEditContactProperties", "canViewContacts"),
        "diagnosticRights": ("canCreateDiagnosticPackages",),
        "expertSettingRights": ("canEditExpertSettings", "canViewExpertSettings"),
        "iplistRights": ("canCreateNewIPLists", "canDeleteIPLists", "canEditIPListProperties"),
        "licenseRights": ("canChangeLicense", "canViewLicense"),
        "multiTenantRights": (
            "canCreateAndEditTenantDatabaseServers", "canCreateTenants", "canDeleteTenantDatabaseServers",
            "canDeleteTenants", "canEditTenantAccountDetails", "canEditTenantFeatures",
            "canEditTenantGeneralProperties", "canEditTenantModules", "canEditTenantSettings",
            "canManageTenantAPIKeys", "canSignInAsTenant", "canViewTenants",
        ),
        "policyRights": (
            "canCreateNewPolicies", "canDeletePolicies", "canEditPolicyProperties", "canImportPolicies",
            "canViewOtherPolicies",
        ),
        "portListRights": ("canCreateNewPortLists", "canDeletePortLists", "canEditPortListProperties"),
        "proxyRights": ("canCreateNewProxies", "canDeleteProxies", "canEditProxyProperties"),
        "relayGroupRights": ("canCreateNewRelayGroups", "canDeleteRelayGroups", "canEditRelayGroupProperties"),
        "samlidentityProviderRights": (
            "canCreateNewSAMLIdentityProviders", "canDeleteSAMLIdentityProviders", "canEditSAMLIdentityProviders",
            "canViewSAMLIdentityProviders",
        ),
        "scanCacheRights": ("canManageScanCache",),
        "scheduleRights": ("canCreateNewSchedules", "canDeleteSchedules", "canEditScheduleProperties"),
        "scheduledTaskRights": (
            "canCreateNewScheduledTasks", "canDeleteScheduledTasks", "canEditScheduledTaskProperties",
            "canExecuteScheduledTasks", "canViewScheduledTasks",
        ),
        "settingRights": ("canEditSettings", "canViewSettings"),
        "syslogConfigurationRights": (
            "canCreateNewSyslogConfigurations", "canDeleteSyslogConfigurations",
            "canEditSyslogConfigurationProperties",
        ),
        "systemInformationRights": ("canManageExtensions", "canManageNodes", "canViewSystemInformation"),
        "taggingRights": (
            "canDeleteAutoTagRules", "canDeleteTags", "canRunAutoTagRules", "canTag", "canUpdateAutoTagRules",
        ),
        "updateRights": (
            "canDeleteRuleUpdates", "canDeleteSoftware", "canEditSoftwareProperties", "canImportRuleUpdates",
            "canImportSoftware", "canViewRuleUpdates",
        ),
    },
    "antiMalwareRights": {
        "antiMalwareConfigurationRights": (
            "canCreateNewAntiMalwareConfigurations", "canDeleteAntiMalwareConfigurations",
            "canEditAntiMalwareConfigurations",
        ),
        "directoryListRights": (
            "canCreateNewDirectoryLists", "canDeleteDirectoryLists", "canEditDirectoryListProperties",
        ),
        "fileExtensionListRights": (
            "canCreateNewFileExtensionLists", "canDeleteFileExtensionLists", "canEditFileExtensionListProperties",
        ),
        "fileListRights": ("canCreateNewFileLists", "canDeleteFileLists", "canEditFileListProperties"),
        "identifiedFileRights": (
            "canDeleteIdentifiedFiles", "canDownloadIdentifiedFiles", "canRestoreIdentifiedFiles",
            "canSubmitIdentifiedFiles",
        ),
    },
    "webReputationRights": {
        "webReputationConfigurationRights": ("canEditWebReputationConfiguration",),
    },
    "sensingModeRights": {
        "sensingModeConfigurationRights": ("canEditSensingModeConfiguration",),
    },
    "firewallRights": {
        "contextRights": ("canCreateNewContexts", "canDeleteContexts", "canEditContextProperties"),
        "firewallRuleRights": (
            "canCreateNewFirewallRules", "canDeleteFirewallRules", "canEditFirewallRuleProperties",
        ),
        "macListRights": ("canCreateNewMACLists", "canDeleteMACLists", "canEditMACListProperties"),
        "statefulConfigurationRights": (
            "canCreateNewStatefulConfigurations", "canDeleteStatefulConfigurations",
            "canEditStatefulConfigurationProperties",
        ),
    },
    "intrusionPreventionRights": {
        "applicationTypeRights": (
            "canCreateNewApplicationTypes", "canDeleteApplicationTypes", "canEditApplicationTypeProperties",
        ),
        "intrusionPreventionRuleRights": (
            "canCreateNewIntrusionPreventionRules", "canDeleteIntrusionPreventionRules",
            "canEditIntrusionPreventionRuleProperties",
        ),
    },
    "integrityMonitoringRights": {
        "integrityMonitoringRuleRights": (
            "canCreateNewIntegrityMonitoringRules", "canDeleteIntegrityMonitoringRules",
            "canEditIntegrityMonitoringRuleProperties",
        ),
    },
    "logInspectionRights": {
        "logInspectionDecoderRights": (
            "canCreateNewLogInspectionDecoders", "canDeleteLogInspectionDecoders",
            "canEditLogInspectionDecoderProperties",
        ),
        "logInspectionRuleRights": (
            "canCreateNewLogInspectionRules", "canDeleteLogInspectionRules", "canEditLogInspectionRuleProperties",
        ),
    },
    "applicationControlRights": {
        "driftRights": ("canAllowOrBlockDrift", "canViewDrift"),
        "ruleRights": (
            "canCreateNewAppControlRules", "canDeleteAppControlRules", "canEditAppControlRulesProperties",
            "canViewAppControlRules",
        ),
        "rulesetRights": ("canCreateNewRulesets", "canDeleteRulesets", "canEditRulesetProperties", "canViewRulesets"),
        "softwareInventoryRights": (
            "canCreateNewSoftwareInventory", "canDeleteSoftwareInventory", "canViewSoftwareInventory",
        ),
    },
    "hostedServiceRights": {
        "accountRights": ("canDeleteAccounts", "canUpdateAccounts", "canViewAccountBilling"),
        "fixRights": ("canViewFixes",),
        "heapRights": ("canViewHeap",),
        "licenseRateRights": ("canSaveLicenseRates", "canViewLicenseRates"),
        "networkSecurityRights": ("canCreateDeviceAuthorizationTokens",),
        "queryRights": ("canViewQuery",),
        "queryTracebackRights": ("canViewQueryTracebacks",),
        "serverLogRights": ("canViewServerLogs",),
        "stackTraceRights": ("canViewStackTraces",),
    },
    "awsmarketplaceRights": {
        "billingInformationRights": ("canViewAWSBillingInformation",),
    },
}
# fmt: on
"""Group → object → rights, in the vendor's spelling."""

FLAGS: Final[Mapping[str, str]] = {
    "allComputers": "The role reaches every computer; computerIDs and computerGroupIDs are then without effect.",
    "allPolicies": "The role reaches every policy; policyIDs is then without effect.",
    "allowUserInterface": "Holders of the role may sign in to the console.",
    "allowWebService": "Holders of the role may use the legacy web service API.",
    "allowManageWorkloadSecurityLink": "Holders of the role may manage the link to Workload Security.",
    "allowMigration": "Holders of the role may migrate to Workload Security.",
    "canOnlyManipulateUsersWithEqualOrLesserRights": "Holders of the role may change only users who can do no more.",
}
"""Properties of a role that are true or false, and what they mean (A5)."""

LISTS: Final[Mapping[str, tuple[str, str]]] = {
    "computerIDs": ("allComputers", "Ids of the computers that the role reaches."),
    "computerGroupIDs": (
        "allComputers",
        "Ids of the computer groups that the role reaches: 0 is computers outside any group, sub-groups need naming.",
    ),
    "policyIDs": ("allPolicies", "Ids of the policies that the role reaches."),
}
"""Properties that are lists of ids: the flag that makes each one pointless, and what it means (A5)."""
