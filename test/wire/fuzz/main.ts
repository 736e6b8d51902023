import { parseArgs } from 'node:util'
import { capBytes, fuzz } from './fuzz.ts'

/** `node dist/test/wire/fuzz/main.js --count 1000000 [--seed N]`: changed bodies by the million; exit code 1 on a finding. */
const { values } = parseArgs({ options: { count: { type: 'string' }, seed: { type: 'string' } } })
const count = Number(values.count ?? 50_000)
const seed = Number(values.seed ?? process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))
process.stderr.write(`${count} bodies from seed ${seed}\n`)
try {
  const result = await fuzz(count, seed)
  process.stdout.write(`${JSON.stringify({ seed, ...result })}\n`)
  if (result.growthBytes > 4 * capBytes) {
    process.stderr.write(`memory grew by ${result.growthBytes} bytes; the limit is ${4 * capBytes}\n`)
    process.exitCode = 1
  }
} catch (error) {
  process.stderr.write(`${error instanceof Error ? `${error.stack}\n${String(error.cause)}` : String(error)}\n`)
  process.exitCode = 1
}
