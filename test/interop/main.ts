/**
 * `npm run test:interop -- [drivers]`: the official SDKs, unmodified, against the log service of this package. Ends with 1
 * when a case is red, missing or not expected.
 */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { root } from '../tidy/source-tree.ts'
import { type CaseId, caseIds, cases } from './cases.ts'
import type { Driver, Place } from './driver.ts'
import { drivers } from './drivers.ts'
import type { Outcome } from './outcome.ts'
import { runDriver } from './run-driver.ts'
import { placeOf, setUpDriver } from './set-up.ts'

const usage = `npm run test:interop -- [--record DIR] [--service-port N] [--jobs N] [DRIVER …]

  --record DIR        put a recording proxy in front of the service and write requests to DIR
  --service-port N    use a service that runs already, with the keys of the suite
  --jobs N            drivers that run at once                                              2
  DRIVER              ${drivers.map(({ name }) => name).join(', ')}; all when none is given`

const say = (text: string): void => {
  process.stdout.write(`${text}\n`)
}

const misuse = (text: string): never => {
  process.stderr.write(`${text}\n\n${usage}\n`)
  process.exit(2)
}

const readOptions = () => {
  const text = { type: 'string' } as const
  const options = { record: text, 'service-port': text, jobs: text, help: { type: 'boolean', default: false } } as const
  const parse = () => parseArgs({ options, allowPositionals: true })
  let parsed: ReturnType<typeof parse>
  try {
    parsed = parse()
  } catch (error) {
    return misuse(error instanceof Error ? error.message : String(error))
  }
  const { values, positionals } = parsed
  if (values.help) {
    say(usage)
    process.exit(0)
  }
  const chosen = positionals.map(
    (name) => drivers.find((driver) => driver.name === name) ?? misuse(`there is no driver ${name}`),
  )
  const number = (name: 'service-port' | 'jobs'): number | undefined => {
    const value = values[name]
    if (value === undefined) return undefined
    return /^[1-9]\d*$/.test(value) ? Number(value) : misuse(`--${name} ${value} is not a number from 1`)
  }
  return {
    chosen: chosen.length > 0 ? chosen : drivers,
    record: values.record,
    servicePort: number('service-port'),
    jobs: number('jobs') ?? 2,
  }
}

const { chosen, record, servicePort, jobs } = readOptions()
const startedMs = performance.now()
const log = (text: string): void => say(`${((performance.now() - startedMs) / 1000).toFixed(1).padStart(6)} s  ${text}`)

const empty: Outcome = { cells: new Map(), problems: [], passed: 0, failed: 0 }
const outcomes = new Map<Driver, Outcome>()
const places = new Map<Driver, Place>()
for (const driver of chosen) {
  const place = placeOf(root, driver.folder)
  try {
    if (await setUpDriver(driver, place)) log(`${driver.name}: set up`)
    places.set(driver, place)
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    log(`${driver.name}: set-up failed`)
    outcomes.set(driver, { ...empty, problems: [`set-up: ${text}`], failed: 1 })
  }
}

const waiting = [...places]
const work = async (): Promise<void> => {
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const [driver, place] = next
    const outcome = await runDriver(driver, place, {
      root,
      servicePort,
      record: record === undefined ? undefined : join(process.cwd(), record),
    })
    log(`${driver.name}: ${outcome.passed} passed, ${outcome.failed} failed`)
    outcomes.set(driver, outcome)
  }
}
await Promise.all(Array.from({ length: jobs }, work))

const signs = { passed: '✓', failed: '✗', missing: '?', blank: '·' } as const
const sign = (driver: Driver, id: CaseId): string => signs[outcomes.get(driver)?.cells.get(id) ?? 'missing']
say('')
say(`  ${'case'.padEnd(24)}${chosen.map(({ name }) => name.padStart(name.length + 2)).join('')}`)
for (const id of caseIds) {
  const row = chosen.map((driver) => sign(driver, id).padStart(driver.name.length + 2)).join('')
  say(`  ${`${cases[id].point} ${id}`.padEnd(24)}${row}`)
}
let passed = 0
let failed = 0
for (const [driver, outcome] of outcomes) {
  passed += outcome.passed
  failed += outcome.failed
  for (const problem of outcome.problems) say(`\n  ✗ ${driver.name}: ${problem.replaceAll('\n', '\n    ')}`)
}
say('')
log(`${[...outcomes.keys()].map(({ name }) => name).join(', ')} with Node ${process.version}`)
say(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
