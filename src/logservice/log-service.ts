import { type HttpHandler, type HttpResponse, silentLogger } from '../core/index.ts'
import { encodeJson } from './facts.ts'
import { type FaultRule, FaultRules } from './fault-rules.ts'
import { PullHandler } from './pull-handler.ts'
import { PutBodies } from './put-body.ts'
import { PutHandler } from './put-handler.ts'
import { recoverState } from './recover-state.ts'
import { Refusal } from './refusal.ts'
import { Retention } from './retention.ts'
import { ServiceCore } from './service-core.ts'
import { ServiceDoor } from './service-door.ts'
import { type LogServiceOptions, type LogServicePorts, settingsOf } from './service-options.ts'
import { emptyState } from './service-state.ts'
import { ShardQuotas } from './shard-quotas.ts'
import { snapshotState } from './state-snapshot.ts'
import { Tracking } from './tracking.ts'

/** A running log service without a socket. */
export interface LogService {
  /** Answers one request. Never rejects. */
  readonly handle: HttpHandler
  /** Longest body that a request may have; a listener need not read more. */
  readonly bodyBytesMax: number
  /** What a listener answers when it gives a request up: its body is too long, or there are too many. */
  refuse(why: 'too-large' | 'busy'): HttpResponse
  /** Makes a fault; gives back what unmakes it. */
  addFault(rule: FaultRule): () => void
  /** Removes what has expired now, instead of at the next sweep. */
  sweep(): Promise<void>
  /** Answers 503 from now on, waits for the writes under way, and gives the storage back. May be called twice. */
  close(): Promise<void>
}

const createMissing = async (core: ServiceCore, projects: readonly string[]): Promise<void> => {
  for (const project of projects) {
    await core.change(() =>
      core.state.projects.has(project)
        ? undefined
        : { fact: { kind: 'project-created', project, config: {}, seconds: core.nowSeconds() } },
    )
  }
}

/**
 * An SLS-compatible log service over a storage: definitions, groups and cursors are as they were before.
 * @throws StorageError when the directory cannot be used; see the storage.
 */
export const openLogService = async (options: LogServiceOptions, ports: LogServicePorts): Promise<LogService> => {
  const settings = settingsOf(options)
  const { clock, random, digest, compression, log = silentLogger } = ports
  let state = emptyState()
  const recovered = await ports.openStorage(() => encodeJson(snapshotState(state)))
  const { storage } = recovered
  const faults = new FaultRules()
  let core: ServiceCore
  try {
    state = recoverState(recovered, log)
    core = new ServiceCore(state, storage, settings, { clock, compression, log })
    await core.dropDoomed()
    await createMissing(core, options.projects ?? [])
  } catch (error) {
    await storage.close()
    throw error instanceof Refusal ? (error.cause ?? error) : error
  }
  const quotas = new ShardQuotas(settings.shardQuota, clock)
  const puts = new PutHandler(core, new PutBodies(compression), quotas)
  const pulls = new PullHandler(core, compression, quotas)
  const handlers = { core, puts, pulls, tracking: new Tracking(core, puts) }
  const door = new ServiceDoor(handlers, settings, faults, { clock, random, digest, log })
  const retention = new Retention(core)
  retention.start()
  return {
    handle: (request, peer) => door.handle(request, peer),
    bodyBytesMax: Math.max(settings.putBytesMax, settings.limits.controlBytes),
    refuse: (why) =>
      door.refuse(
        why === 'too-large'
          ? new Refusal(400, 'PostBodyTooLarge', 'the body is longer than this service takes')
          : new Refusal(503, 'ServerBusy', 'too many requests are on their way'),
      ),
    addFault(rule) {
      const id = faults.add(rule)
      return () => {
        if (id !== undefined) faults.remove(id)
      }
    },
    sweep: () => retention.sweep(),
    async close() {
      door.close()
      await retention.stop()
      await storage.close()
    },
  }
}
