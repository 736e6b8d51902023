/**
 * `npm run crash:logservice -- --kills 40`: sixteen writers put log groups into the log service, a process of its own that
 * is killed at random moments and at every kind of file operation. What was acknowledged must be there once and whole, and
 * every cursor handed out must give the same group for ever.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Child, sleep, within } from '../child.ts'
import { Problems } from '../output-check.ts'
import { Draws } from '../random.ts'
import { groupOf, Ledger } from './ledger.ts'
import { ServiceClient, Unanswered } from './service-client.ts'

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '40' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    keep: { type: 'boolean', default: false },
  },
})
const kills = Number(values.kills)
const seed = Number(values.seed)
const writers = 16
const logstore = 'crash'

const draws = new Draws(seed)
const problems = new Problems()
const ledger = new Ledger()
const client = new ServiceClient('crash')
const directory = await mkdtemp(join(tmpdir(), 'millrace-crash-service-'))
const startedMs = performance.now()
const say = (text: string): void => {
  process.stdout.write(`${((performance.now() - startedMs) / 1000).toFixed(1).padStart(6)} s  ${text}\n`)
}

/** Where a life may end besides a random moment: `MILLRACE_CRASH_AT` without its occurrence. */
const places = [
  ['append', '', ['before', 'partial', 'after'], 200],
  ['sync', '', ['before', 'after'], 200],
  ['create', '', ['before', 'after'], 3],
  ['rename', '', ['before', 'after'], 3],
  ['syncDirectory', '', ['before', 'after'], 5],
  ['truncate', '', ['before', 'after'], 1],
  ['unlink', '', ['before', 'after'], 2],
  ['read', '', ['before', 'after'], 20],
  ['list', '', ['before', 'after'], 2],
] as const

const crashPoint = (): string => {
  const [operation, part, phases, most] = draws.pick(places)
  return `${operation}:${part}:${1 + Math.floor(draws.float() * most)}:${draws.pick(phases)}`
}

class ServiceChild extends Child {
  #ready: (port: number) => void = () => {}
  readonly ready = new Promise<number>((resolve) => {
    this.#ready = resolve
  })

  constructor(crashAt: string | undefined) {
    const program = fileURLToPath(new URL('../../../src/cli/main.js', import.meta.url))
    const data = ['--port', '0', '--data', join(directory, 'data'), '--auth', 'off', '--json']
    // Small segments, so that rolling them is part of what is killed.
    super([process.execPath, program, 'logservice', ...data, '--segment-size', '1MiB'], {
      env: { MILLRACE_CRASH_AT: crashAt ?? '' },
    })
  }

  override heard(line: string): void {
    const port = /"(?:url|address)":"[^"]*:(\d+)/.exec(line)?.[1] ?? /"port":(\d+)/.exec(line)?.[1]
    if (port !== undefined) this.#ready(Number(port))
  }
}

/** Starts the service; undefined when the crash point ended it before it was ready. */
const start = async (crashAt: string | undefined): Promise<ServiceChild | undefined> => {
  const child = new ServiceChild(crashAt)
  const port = await within(30_000, Promise.race([child.ready, child.ended.then(() => undefined)]))
  if (port !== undefined) {
    client.port = port
    return child
  }
  child.kill('SIGKILL')
  const end = await child.ended
  if (crashAt === undefined || end.signal !== 'SIGKILL') {
    problems.add(`the service did not start: code ${end.code}, signal ${end.signal}\n${child.stderr.slice(-2_000)}`)
  }
  return undefined
}

/** True when the call was answered; an error that is no cut line is a problem. */
const answered = async (what: string, run: () => Promise<void>): Promise<boolean> => {
  try {
    await run()
    return true
  } catch (error) {
    if (!(error instanceof Unanswered)) problems.add(`${what}: ${String(error)}`)
    return false
  }
}

let written = 0
let alive = false
let reshards = 0

const write = async (writer: number): Promise<void> => {
  for (;;) {
    while (!alive) {
      if (done) return
      await sleep(5)
    }
    if (done) return
    const id = `w${writer}-${written++}`
    const group = groupOf(id, draws)
    let stored: boolean | undefined
    await answered(`put of ${id}`, async () => {
      stored = await client.put(logstore, group)
    })
    ledger.tried(id, group, stored)
    if (stored === undefined) await sleep(2)
  }
}

/** Looks behind some cursors, old ones and new ones. */
const look = async (): Promise<void> => {
  await answered('a look behind cursors', async () => {
    const shard = draws.pick(await client.shards(logstore))
    const cursors = await Promise.all(['begin', 'end'].map((from) => client.cursor(logstore, shard.shardID, from)))
    const known = [...ledger.cursors.keys()].filter((place) => place.startsWith(`${shard.shardID}:`))
    const old = known.length === 0 ? [] : [draws.pick(known).slice(String(shard.shardID).length + 1)]
    for (const cursor of [...cursors, ...old]) {
      const { groups } = await client.pull(logstore, shard.shardID, cursor, 1)
      const wrong = ledger.behind(`${shard.shardID}:${cursor}`, groups[0])
      if (wrong !== undefined) problems.add(wrong)
    }
  })
}

/** A split now and then, and a merge when there are many. */
const reshard = async (): Promise<void> => {
  await answered('a reshard', async () => {
    const open = (await client.shards(logstore)).filter(({ status }) => status === 'readwrite')
    const action = open.length > 6 ? 'merge' : 'split'
    const shard = open[Math.floor(draws.float() * (open.length - (action === 'merge' ? 1 : 0)))]
    if (shard === undefined) return
    const { status, body } = await client.call(
      'POST',
      `/logstores/${logstore}/shards/${shard.shardID}?action=${action}`,
    )
    // The last shard of the range has no neighbour to merge with, and another reshard may have been quicker.
    if (status === 200) reshards++
    else if (status !== 400) problems.add(`a ${action} was answered with ${status} ${body}`)
  })
}

let done = false
let killed = 0
const crashes = new Map<string, number>()
say(`seed ${seed}, node ${process.version}`)
const writing = Array.from({ length: writers }, (_, writer) => write(writer))
let made = false
while (killed < kills && problems.count === 0) {
  const crashAt = draws.float() < 0.5 ? crashPoint() : undefined
  const child = await start(crashAt)
  if (child === undefined) {
    killed++
    crashes.set(`${crashAt?.split(':')[0]}, starting`, (crashes.get(`${crashAt?.split(':')[0]}, starting`) ?? 0) + 1)
    continue
  }
  if (!made) {
    made = await answered('create', async () => {
      await client.json('POST', '/', { projectName: 'crash', description: '' }).catch((error: unknown) => {
        if (!String(error).includes('ProjectAlreadyExist')) throw error
      })
      await client
        .json('POST', '/logstores', { logstoreName: logstore, ttl: 30, shardCount: 4 })
        .catch((error: unknown) => {
          if (!String(error).includes('LogStoreAlreadyExist')) throw error
        })
    })
  }
  alive = made
  const untilMs = performance.now() + draws.exponential(crashAt === undefined ? 800 : 1_500)
  while (child.isRunning && performance.now() < untilMs && problems.count === 0) {
    await look()
    if (draws.float() < 0.1) await reshard()
    await sleep(draws.between(1, 40))
  }
  const itself = !child.isRunning
  child.kill('SIGKILL')
  alive = false
  const end = await child.ended
  if (end.signal !== 'SIGKILL') problems.add(`the service ended with code ${end.code}\n${child.stderr.slice(-2_000)}`)
  killed++
  const way = itself ? `${crashAt?.split(':')[0]}` : 'a random moment'
  crashes.set(way, (crashes.get(way) ?? 0) + 1)
}
done = true
await Promise.all(writing)

// Everything is read back from a service that nobody kills, which then ends as it should.
const last = problems.count === 0 ? await start(undefined) : undefined
const copies = new Map<string, number>()
if (last !== undefined) {
  const everything = async (): Promise<void> => {
    for (const { shardID } of await client.shards(logstore)) {
      let cursor = await client.cursor(logstore, shardID, 'begin')
      for (;;) {
        const { groups, next } = await client.pull(logstore, shardID, cursor, 1000)
        if (next === cursor) break
        cursor = next
        for (const group of groups) {
          const wrong = ledger.judge(group)
          if (wrong !== undefined) problems.add(wrong)
          copies.set(group.topic ?? '', (copies.get(group.topic ?? '') ?? 0) + 1)
        }
      }
    }
    for (const place of ledger.cursors.keys()) {
      const [shard = '', cursor = ''] = place.split(':')
      const { groups } = await client.pull(logstore, Number(shard), cursor, 1)
      const wrong = ledger.behind(place, groups[0])
      if (wrong !== undefined) problems.add(wrong)
    }
  }
  if (!(await answered('reading back', everything))) problems.add('the service broke off while it was read back')
  last.kill('SIGTERM')
  const end = await last.endWithin(30_000)
  if (end?.code !== 0) problems.add(`SIGTERM: ended with ${JSON.stringify(end)}`)
}
client.close()
const lost = [...ledger.acknowledged.keys()].filter((id) => !copies.has(id))
const twice = [...copies].filter(([, count]) => count > 1)
if (last !== undefined) {
  for (const id of lost.slice(0, 10)) problems.add(`${id} was acknowledged and is lost`)
  for (const [id, count] of twice.slice(0, 10)) problems.add(`${id} is there ${count} times`)
}
for (const [way, times] of [...crashes].sort((a, b) => b[1] - a[1])) say(`${String(times).padStart(4)} × ${way}`)
for (const text of problems.texts) say(`✗ ${text}`)
if (problems.count === 0 && !values.keep) await rm(directory, { recursive: true, force: true })
else say(`files are in ${directory}; the same choices again: --seed ${seed} --kills ${kills}`)
process.stdout.write(
  `${JSON.stringify({
    event: 'crash-logservice',
    ok: problems.count === 0,
    seed,
    kills: killed,
    acknowledged: ledger.acknowledged.size,
    doubtful: ledger.doubtful.size,
    stored: copies.size,
    lost: lost.length,
    twice: twice.length,
    cursors: ledger.cursors.size,
    reshards,
    problems: problems.count,
    seconds: Math.round((performance.now() - startedMs) / 1000),
  })}\n`,
)
process.exitCode = problems.count === 0 ? 0 : 1
