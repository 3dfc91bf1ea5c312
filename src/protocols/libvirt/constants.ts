/** Numbers of libvirt's remote_protocol.x and public headers; just those that are used here. */

export const Procedure = {
  CONNECT_OPEN: 1,
  CONNECT_CLOSE: 2,
  NODE_GET_INFO: 6,
  DOMAIN_CREATE: 9,
  DOMAIN_DEFINE_XML: 11,
  DOMAIN_GET_XML_DESC: 14,
  DOMAIN_GET_AUTOSTART: 15,
  DOMAIN_GET_INFO: 16,
  DOMAIN_LOOKUP_BY_NAME: 23,
  DOMAIN_LOOKUP_BY_UUID: 24,
  DOMAIN_REBOOT: 27,
  DOMAIN_RESUME: 28,
  DOMAIN_SET_AUTOSTART: 29,
  DOMAIN_SUSPEND: 34,
  CONNECT_GET_HOSTNAME: 59,
  CONNECT_SUPPORTS_FEATURE: 60,
  DOMAIN_INTERFACE_STATS: 65,
  AUTH_LIST: 66,
  AUTH_POLKIT: 70,
  STORAGE_POOL_REFRESH: 83,
  STORAGE_POOL_LOOKUP_BY_NAME: 84,
  STORAGE_POOL_GET_INFO: 87,
  STORAGE_POOL_GET_XML_DESC: 88,
  STORAGE_VOL_CREATE_XML: 93,
  STORAGE_VOL_DELETE: 94,
  STORAGE_VOL_LOOKUP_BY_NAME: 95,
  STORAGE_VOL_LOOKUP_BY_PATH: 97,
  STORAGE_VOL_GET_XML_DESC: 99,
  DOMAIN_IS_PERSISTENT: 151,
  DOMAIN_ABORT_JOB: 164,
  DOMAIN_MANAGED_SAVE: 182,
  DOMAIN_HAS_MANAGED_SAVE_IMAGE: 183,
  DOMAIN_MANAGED_SAVE_REMOVE: 184,
  DOMAIN_GET_BLOCK_INFO: 194,
  DOMAIN_SET_VCPUS_FLAGS: 199,
  DOMAIN_OPEN_CONSOLE: 201,
  DOMAIN_SET_MEMORY_FLAGS: 204,
  DOMAIN_GET_STATE: 212,
  DOMAIN_SET_SCHEDULER_PARAMETERS_FLAGS: 219,
  DOMAIN_GET_CONTROL_INFO: 229,
  DOMAIN_UNDEFINE_FLAGS: 231,
  DOMAIN_DESTROY_FLAGS: 234,
  DOMAIN_RESET: 245,
  DOMAIN_SHUTDOWN_FLAGS: 258,
  DOMAIN_GET_DISK_ERRORS: 263,
  DOMAIN_PM_WAKEUP: 267,
  CONNECT_LIST_ALL_DOMAINS: 273,
  CONNECT_LIST_ALL_STORAGE_POOLS: 281,
  STORAGE_POOL_LIST_ALL_VOLUMES: 282,
  CONNECT_LIST_ALL_NETWORKS: 283,
  DOMAIN_GET_JOB_STATS: 298,
  DOMAIN_MIGRATE_PERFORM3_PARAMS: 305,
  EVENT_CALLBACK_REGISTER_ANY: 316,
  EVENT_CALLBACK_LIFECYCLE: 318,
  EVENT_CALLBACK_REBOOT: 319,
  CONNECT_GET_DOMAIN_CAPABILITIES: 342,
  CONNECT_GET_ALL_DOMAIN_STATS: 344,
  DOMAIN_INTERFACE_ADDRESSES: 353,
} as const;

/** remote_auth_type */
export const Auth = { NONE: 0, SASL: 1, POLKIT: 2 } as const;

/** VIR_DRV_FEATURE_PROGRAM_KEEPALIVE: asking for it also makes libvirtd ping us. */
export const FEATURE_KEEPALIVE = 10;

/** virDomainState */
export const DomainState = {
  NOSTATE: 0, RUNNING: 1, BLOCKED: 2, PAUSED: 3, SHUTDOWN: 4, SHUTOFF: 5, CRASHED: 6, PMSUSPENDED: 7,
} as const;

/** virDomainRunningReason */
export const RunningReason = {
  BOOTED: 1, MIGRATED: 2, RESTORED: 3, FROM_SNAPSHOT: 4, UNPAUSED: 5, MIGRATION_CANCELED: 6, SAVE_CANCELED: 7, WAKEUP: 8, CRASHED: 9,
  POSTCOPY: 10, POSTCOPY_FAILED: 11,
} as const;

/** virDomainPausedReason */
export const PausedReason = {
  UNKNOWN: 0, USER: 1, MIGRATION: 2, SAVE: 3, DUMP: 4, IOERROR: 5, WATCHDOG: 6, FROM_SNAPSHOT: 7, SHUTTING_DOWN: 8, SNAPSHOT: 9, CRASHED: 10,
  STARTING_UP: 11, POSTCOPY: 12, POSTCOPY_FAILED: 13, API_ERROR: 14,
} as const;

/** virDomainShutoffReason */
export const ShutoffReason = {
  SHUTDOWN: 1, DESTROYED: 2, CRASHED: 3, MIGRATED: 4, SAVED: 5, FAILED: 6, FROM_SNAPSHOT: 7, DAEMON: 8,
} as const;

/** virDomainControlState: whether a call waits for the emulator's answer */
export const ControlState = { OCCUPIED: 2 } as const;

/** virDomainJobType; of those that are under way */
export const JobType = { BOUNDED: 1, UNBOUNDED: 2 } as const;

/** virDomainJobOperation */
export const JobOperation = {
  START: 1, SAVE: 2, RESTORE: 3, MIGRATION_IN: 4, MIGRATION_OUT: 5, SNAPSHOT: 6, SNAPSHOT_REVERT: 7, DUMP: 8,
} as const;

/** virDomainDiskErrorCode */
export const DiskErrorCode = { UNSPECIFIED: 1, NO_SPACE: 2 } as const;

/** virConnectListAllDomainsFlags */
export const ListFlag = { MANAGED_SAVE: 1 << 8 } as const;

/** virDomainStatsTypes */
export const StatsType = { STATE: 1 << 0, CPU_TOTAL: 1 << 1, BALLOON: 1 << 2, VCPU: 1 << 3, INTERFACE: 1 << 4, BLOCK: 1 << 5 } as const;

/** virConnectGetAllDomainStatsFlags: what would have to wait for a domain that is busy is left out (libvirt 4.5) */
export const STATS_NOWAIT = 1 << 29;

/** virDomainMigrateFlags */
export const MigrateFlag = {
  LIVE: 1 << 0, PEER2PEER: 1 << 1, PERSIST_DEST: 1 << 3, UNDEFINE_SOURCE: 1 << 4, NON_SHARED_DISK: 1 << 6, OFFLINE: 1 << 10,
} as const;

/** virDomainShutdownFlagValues, which virDomainRebootFlagValues repeat */
export const ShutdownMode = { HYPERVISOR_CHOICE: 0, INITCTL: 1 << 2, SIGNAL: 1 << 3 } as const;

/** virDomainConsoleFlags */
export const ConsoleFlag = { FORCE: 1 << 0 } as const;

/** virDomainXMLFlags: with passwords; as it will be at its next start */
export const XmlFlag = { SECURE: 1 << 0, INACTIVE: 1 << 1 } as const;

/** virDomainModificationImpact: for the next start; and of virDomainVcpuFlags and virDomainMemoryModFlags, which agree: the most there may be */
export const ChangeFlag = { CONFIG: 1 << 1, MAXIMUM: 1 << 2 } as const;

/** virDomainUndefineFlagsValues: what goes with the description */
export const UndefineFlag = { MANAGED_SAVE: 1 << 0, SNAPSHOTS_METADATA: 1 << 1, NVRAM: 1 << 2, CHECKPOINTS_METADATA: 1 << 4 } as const;

/** virStoragePoolState: of those that can be used */
export const PoolState = { RUNNING: 2, DEGRADED: 3 } as const;

/** virConnectListAllStoragePoolsFlags and virConnectListAllNetworksFlags, which agree */
export const ListActive = 1 << 1;

/** virDomainSaveRestoreFlags */
export const SaveFlag = { RUNNING: 1 << 1 } as const;

/** virDomainEventID */
export const EventId = { LIFECYCLE: 0, REBOOT: 1 } as const;

/** virDomainEventStoppedDetailType */
export const StoppedDetail = { MIGRATED: 3, SAVED: 4 } as const;

/** virDomainEventType */
export const Lifecycle = {
  DEFINED: 0, UNDEFINED: 1, STARTED: 2, SUSPENDED: 3, RESUMED: 4, STOPPED: 5, SHUTDOWN: 6, PMSUSPENDED: 7, CRASHED: 8,
} as const;

/** virDomainInterfaceAddressesSource */
export const AddressSource = { LEASE: 0, AGENT: 1, ARP: 2 } as const;

/** virTypedParameterType */
export const ParameterType = { INT: 1, UINT: 2, LLONG: 3, ULLONG: 4, DOUBLE: 5, BOOLEAN: 6, STRING: 7 } as const;

/** Limits of remote_protocol.x, elements of a list. */
export const Limit = {
  AUTH_TYPES: 20,
  DOMAINS: 16_384,
  POOLS: 4_096,
  VOLUMES: 16_384,
  NETWORKS: 16_384,
  STATS_RECORDS: 262_144,
  STATS_PARAMETERS: 4_096,
  INTERFACES: 2_048,
  ADDRESSES: 2_048,
  DISK_ERRORS: 256,
  JOB_STATS: 64,
} as const;
