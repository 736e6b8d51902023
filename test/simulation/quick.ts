import { runSeed } from './scenario.ts'

const from = Number(process.argv[2] ?? 1)
const count = Number(process.argv[3] ?? 20)
const verbose = process.argv[4] === 'trace'
const totals: Record<string, number> = {}
let failed = 0
const start = performance.now()
for (let seed = from; seed < from + count; seed++) {
  const lines: string[] = []
  const result = await runSeed(seed, verbose ? { trace: (line) => lines.push(line) } : {})
  for (const [name, value] of Object.entries(result.counters)) totals[name] = (totals[name] ?? 0) + value
  if (result.refused) totals['refused'] = (totals['refused'] ?? 0) + 1
  if (result.violation !== undefined) {
    failed++
    process.stdout.write(`seed ${seed}: ${result.violation}\n`)
    if (verbose) process.stdout.write(`${lines.slice(-Number(process.argv[5] ?? 80)).join('\n')}\n`)
  }
}
const ms = performance.now() - start
process.stdout.write(
  `${count} seeds, ${failed} failed, ${Math.round((count / ms) * 60_000)}/min ${JSON.stringify(totals)}\n`,
)
