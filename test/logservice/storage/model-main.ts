import { runStorageModel, runStorageWorld } from './storage-model.ts'

/** `node test/logservice/storage/model-main.ts <runs> <seed>`, or `… replay <seed>` to see one. */
const [first = '20000', second = '1'] = process.argv.slice(2)
if (first === 'replay') {
  const lines: string[] = []
  const { violations, counts } = await runStorageWorld(Number(second), { trace: (line) => lines.push(line) })
  process.stdout.write(`${lines.join('\n')}\n${JSON.stringify(counts)}\n${violations.join('\n')}\n`)
} else {
  const started = performance.now()
  const [runs, seed] = [Number(first), Number(second)]
  const atOnce = 500
  for (let run = 0; run < runs; run += atOnce) {
    const { failures, counts, faults } = await runStorageModel(Math.min(atOnce, runs - run), seed + run)
    const seconds = ((performance.now() - started) / 1000).toFixed(0)
    const done = Math.min(run + atOnce, runs)
    process.stdout.write(`${JSON.stringify({ runs: done, seconds, violations: failures.length, faults, ...counts })}\n`)
    if (failures.length === 0) continue
    process.stdout.write(`${failures.join('\n')}\n`)
    process.exitCode = 1
    break
  }
}
