/** For tests of connectors and jobs: contracts, virtual time, an environment in memory, and the deterministic simulator. */
export {
  type AtLeastOnceSinkSystem,
  type AtLeastOnceSinkUnderTest,
  atLeastOnceSinkConformance,
  type SinkDisturbance,
} from './at-least-once-sink-conformance.ts'
export { clockContract } from './clock-contract.ts'
export { compressionContract } from './compression-contract.ts'
export { type ContractCheck, checksWith } from './contract.ts'
export { digestContract } from './digest-contract.ts'
export { type DirectFault, type DirectTransportOptions, directTransport } from './direct-transport.ts'
export { type FileSystemFixture, fileSystemContract } from './file-system-contract.ts'
export { type BenchRun, JobBench, type JobBenchOptions } from './job-bench.ts'
export { type MemoryEnvironment, type MemoryEnvironmentOptions, memoryEnvironment } from './memory-environment.ts'
export { randomContract } from './random-contract.ts'
export { SeededRandom } from './seeded-random.ts'
export { shrink } from './shrink.ts'
export { type Errno, ErrnoError } from './simulation/errno-error.ts'
export {
  type Fault,
  FaultInjector,
  type FaultKind,
  type FaultOptions,
  type FaultPlan,
  type FaultRates,
  type FaultSite,
  faultKinds,
  type PlannedFault,
  singleFaultPlans,
  swarmFaultRates,
  usualFaultRates,
} from './simulation/faults.ts'
export type { ProcessEnd } from './simulation/kernel.ts'
export { type DiskEvent, type DiskOperation, SimDisk, type SimDiskOptions } from './simulation/sim-disk.ts'
export { type IoGateway, simFileSystem } from './simulation/sim-file-system.ts'
export { SimHost } from './simulation/sim-host.ts'
export { networkFaultKinds, SimNetwork } from './simulation/sim-network.ts'
export { type ProcessHooks, type ProcessMain, SimProcess } from './simulation/sim-process.ts'
export type { DiskView, FileView } from './simulation/sim-tree.ts'
export type { TripwireUse } from './simulation/tripwire.ts'
export { type RunBudget, type RunOutcome, World, type WorldOptions } from './simulation/world.ts'
export { type SinkSystem, type SinkUnderTest, sinkConformance } from './sink-conformance.ts'
export { type SourceSystem, type SourceUnderTest, sourceConformance } from './source-conformance.ts'
export { type TransportFixture, transportContract } from './transport-contract.ts'
export { VirtualClock } from './virtual-clock.ts'
