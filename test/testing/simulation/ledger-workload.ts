import { type Environment, errnoOf, type FileSystem, readWhole } from '../../../src/core/index.ts'
import { type FaultOptions, type RunOutcome, World } from '../../../src/testing/index.ts'

/** Ways to get the little protocol below wrong. */
export type LedgerBug = 'noFileSync' | 'noDirectorySync' | 'syncAgainAfterFailure' | 'overwriteInPlace'

export interface LedgerRun {
  readonly outcome: RunOutcome
  readonly world: World
  readonly acknowledged: number
  readonly starts: number
}

const encode = (value: number): Uint8Array => new TextEncoder().encode(`${value}\n`.padStart(200, '.'))
const decode = (bytes: Uint8Array): number => Number(new TextDecoder().decode(bytes).replace(/^\.*/, ''))

const readLedger = async (fs: FileSystem): Promise<number> => {
  try {
    return decode(await readWhole(fs, 'state/value', 1_000))
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 0
    throw error
  }
}

const publish = async (fs: FileSystem, name: string, value: number, bug: LedgerBug | undefined): Promise<void> => {
  const path = bug === 'overwriteInPlace' ? 'state/value' : `state/tmp-${name}-${value}`
  if (bug === 'overwriteInPlace') await fs.unlink(path).catch(() => {})
  const file = await fs.create(path)
  try {
    await file.append(encode(value))
    if (bug === 'syncAgainAfterFailure') await file.sync().catch(() => file.sync())
    else if (bug !== 'noFileSync') await file.sync()
  } finally {
    await file.close()
  }
  if (path !== 'state/value') await fs.rename(path, 'state/value')
  if (bug !== 'noDirectorySync') await fs.syncDirectory('state')
}

/**
 * A process that counts upwards and publishes each number durably before it acknowledges it, restarted whenever it dies.
 * What is acknowledged must never be forgotten, and what is read must be a number.
 */
export const runLedger = async (
  seed: number,
  options: {
    readonly faults?: FaultOptions
    readonly bug?: LedgerBug | undefined
    readonly trace?: (line: string) => void
    readonly target?: number
  } = {},
): Promise<LedgerRun> => {
  const world = new World(seed, { faults: options.faults, trace: options.trace })
  const { disk } = world.host()
  disk.makeDirectories('state')
  const target = options.target ?? 12
  let acknowledged = 0
  let starts = 0

  const main = async (environment: Environment, name: string): Promise<void> => {
    const { fs, clock } = environment
    let value = await readLedger(fs)
    if (Number.isNaN(value)) return world.violate('the ledger is not a number')
    if (value < acknowledged) return world.violate(`acknowledged ${acknowledged}, found ${value}`)
    // What is about to be relied on may be in the page cache only.
    if (value > 0) {
      const file = await fs.open('state/value')
      await file.sync()
      await file.close()
      await fs.syncDirectory('state')
      acknowledged = value
    }
    while (value < target) {
      value++
      await publish(fs, name, value, options.bug)
      acknowledged = Math.max(acknowledged, value)
      await clock.sleep(environment.random.float() * 50)
    }
  }

  const start = (): void => {
    const name = `p${++starts}`
    world.spawn(name, (environment) => main(environment, name), {
      onEnd: (end) => {
        if (end.kind !== 'returned') world.at(100, start)
      },
    })
  }
  start()
  world.at(20_000, () => world.heal())
  const outcome = await world.run(() => acknowledged >= target && !world.faults.enabled, { eventsMax: 50_000 })
  return { outcome, world, acknowledged, starts }
}
