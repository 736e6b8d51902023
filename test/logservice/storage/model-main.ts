import { runStorageModel, runStorageWorld } from './storage-model.ts'

/** `node test/logservice/storage/model-main.ts <runs> <seed>`, or `… replay <seed>` to see one. */
const [first = '20000', second = '1'] = process.argv.slice(2)
if (first === 'replay') {
  const lines: string[] = []
  const { violations, counts } = await runStorageWorld(Number(second), { trace: (line) => lines.push(line) })
  process.stdout.write(`${lines.join('\n')}\n${JSON.stringify(counts)}\n${violations.join('\n')}\n`)
} else {
  const started = performance.now()
  const { failures, counts, faults } = await runStorageModel(Number(first), Number(second))
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  process.stdout.write(
    `${JSON.stringify({ runs: Number(first), seconds, faults, ...counts })}\n${failures.join('\n')}\n`,
  )
  if (failures.length > 0) process.exitCode = 1
}
