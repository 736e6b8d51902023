import { runServiceModel } from './service-commands.ts'

/** `node dist/test/logservice/service-model-main.js <runs> <seed>` */
const [runs = '20000', seed = '1'] = process.argv.slice(2)
const started = performance.now()
await runServiceModel(Number(runs), Number(seed))
const seconds = ((performance.now() - started) / 1000).toFixed(1)
process.stdout.write(`${JSON.stringify({ runs: Number(runs), seed: Number(seed), seconds, violations: 0 })}\n`)
