/** The embedded SLS-compatible log service: a request handler over a durable storage. */
export type { FaultEffect, FaultRule } from './fault-rules.ts'
export { type LogService, openLogService } from './log-service.ts'
export {
  defaultLimits,
  type LogServiceOptions,
  type LogServicePorts,
  type ServiceLimits,
  type ShardQuota,
} from './service-options.ts'
export { openStorage, type SalvageReport, type StorageOptions, salvage } from './storage/index.ts'
